import { describe, expect, it } from "vitest";
import { asStartupError, createCloser, StartupError } from "../src/mod.ts";

const systemError = (fields: Record<string, unknown>) => Object.assign(new Error("raw"), fields);

describe("expected errors at start", () => {
  it.each([
    [{ code: "EADDRINUSE", syscall: "listen", port: 8080 }, "port 8080 is in use: stop the other program or set PORT"],
    [
      { code: "EACCES", syscall: "listen", port: 80 },
      "port 80 may not be used by this user: set PORT to 1024 or above",
    ],
    [
      { code: "EROFS", syscall: "mkdir", path: "/data" },
      'cannot use "/data": the file system is read-only; make it writable or set DATA',
    ],
    [
      { code: "EACCES", syscall: "open", path: "/data/x\n" },
      'cannot use "/data/x\\n": permission denied; make it writable or set DATA',
    ],
    // SQLITE_READONLY_DIRECTORY, an extended code
    [
      { code: "ERR_SQLITE_ERROR", errcode: 1544 },
      "cannot use the data folder: the database is read-only; make it writable or set DATA",
    ],
  ])("%o is one line", (fields, line) => {
    expect(asStartupError(systemError(fields), { folderSetting: "DATA" })?.message).toBe(line);
    expect(asStartupError(new Error("outer", { cause: systemError(fields) }), { folderSetting: "DATA" })?.message).toBe(
      line,
    );
  });

  it("leaves everything else alone", () => {
    expect(asStartupError(new TypeError("a bug"))).toBeNull();
    expect(asStartupError(systemError({ code: "ECONNREFUSED", syscall: "connect", port: 1 }))).toBeNull();
    expect(asStartupError(systemError({ code: "ERR_SQLITE_ERROR", errcode: 1 }))).toBeNull();
    expect(asStartupError("text")).toBeNull();
  });

  it("finds one that was wrapped", () => {
    const own = new StartupError("do this");
    expect(asStartupError(new Error("outer", { cause: own }))).toBe(own);
  });
});

describe("closer", () => {
  it("runs each stop once, in reverse, also those added late, and survives failures", async () => {
    const order: string[] = [];
    const errors: string[] = [];
    const closer = createCloser((name) => void errors.push(name));
    const add = (name: string) => closer.add(name, async () => void order.push(name));
    add("a");
    closer.add("b", () => {
      throw new Error("at once");
    });
    closer.add("c", async () => {
      add("late");
      expect(closer.current()).toBe("c");
    });
    await Promise.all([closer.close(), closer.close()]);
    expect(order).toEqual(["late", "a"]);
    add("later");
    await closer.close();
    expect(order).toEqual(["late", "a", "later"]);
    expect(errors).toEqual(["b"]);
    expect(closer.failures()).toBe(1);
    expect(closer.current()).toBeNull();
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLogger, type LogFields, type LogFormat } from "../src/mod.ts";

function logged(format: LogFormat = "json", instance?: string) {
  const lines: string[] = [];
  const log = createLogger({
    service: "edge",
    ...(instance === undefined ? {} : { instance }),
    level: "debug",
    format,
    clock: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    destination: { write: (line) => void lines.push(line) },
  });
  return { log, lines, only: (): Record<string, unknown> => JSON.parse(lines[0] ?? "") };
}

describe("log", () => {
  it("writes one JSON object per line with the fields of the call and of the child", () => {
    const { log, lines } = logged("json", "edge-1");
    log.child({ socket: "s1", port: 1 }).warn("slow reader", { port: 2, bytes: 3, known: true, none: null });
    expect(lines).toEqual([
      '{"level":"warn","time":"2026-01-02T03:04:05.678Z","service":"edge","instance":"edge-1","socket":"s1","port":2,"bytes":3,"known":true,"none":null,"msg":"slow reader"}\n',
    ]);
  });

  it("leaves out what is below its level", () => {
    const lines: string[] = [];
    const log = createLogger({
      service: "edge",
      level: "warn",
      destination: { write: (line) => void lines.push(line) },
    });
    log.debug("a");
    log.info("b");
    log.error("c");
    expect(lines).toHaveLength(1);
  });

  it("serialises errors as name, message, code and stack and nothing else they carry", () => {
    const { log, only } = logged();
    log.error("failed", {}, Object.assign(new TypeError("bad"), { code: "E_BAD", request: { password: "hunter2" } }));
    const { err } = only();
    expect(Object.keys(err as object)).toEqual(["name", "message", "code", "stack"]);
    expect(err).toMatchObject({ name: "TypeError", message: "bad", code: "E_BAD" });
  });

  it("does not log what is thrown but is no error", () => {
    const { log, lines } = logged();
    log.error("failed", {}, { password: "hunter2" });
    expect(lines[0]).not.toContain("hunter2");
  });

  it("does not log objects that were cast past the type, nor lets fields pass as its own", () => {
    const { log, lines, only } = logged();
    const smuggled = { request: { headers: "hunter2" }, level: "forged", msg: "forged" } as unknown as LogFields;
    log.info("%s %j", smuggled);
    expect(lines[0]).not.toContain("hunter2");
    expect(only()).toMatchObject({
      level: "info",
      msg: "%s %j",
      request: "(not logged)",
      field_level: "forged",
      field_msg: "forged",
    });
  });

  it("does not take objects, by type", () => {
    const { log } = logged();
    // @ts-expect-error a field is a single value: `tsc` fails here if objects were taken
    expect(() => log.info("x", { request: { a: 1 } })).not.toThrow();
  });

  it.each(["json", "text"] as const)("keeps every line within 4096 bytes and on one line as %s", (format) => {
    const nasty = fc.string({
      unit: fc.constantFrom("a", "\n", "\u001b", "\u0000", "\ud800", "é", "漢", "💥", '"', "\\", "\u2028"),
      minLength: 0,
      maxLength: 5_000,
    });
    const { log, lines } = logged(format, "é".repeat(100));
    fc.assert(
      fc.property(nasty, fc.dictionary(nasty, nasty, { maxKeys: 40 }), nasty, (message, fields, errorText) => {
        lines.length = 0;
        log.error(message, fields, Object.assign(new Error(errorText), { name: errorText }));
        const [line = "", ...more] = lines;
        expect(more).toEqual([]);
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4_096);
        expect(line.endsWith("\n")).toBe(true);
        expect(line.slice(0, -1)).not.toMatch(/\p{Cc}/u);
        if (format === "json") expect(JSON.parse(line)).toMatchObject({ level: "error", service: "edge" });
      }),
      { numRuns: 60 },
    );
  });

  it.each(["json", "text"] as const)("uses the bound to the last byte as %s", (format) => {
    const { log, lines } = logged(format);
    // Four fields of at most 1024 characters pass 4096 bytes at some step, in steps of one and of three bytes.
    for (const filler of ["a", "\u2708"]) {
      for (let length = 0; length <= 1_024; length += 1) {
        log.info("m", { a: "x".repeat(1_000), b: "x".repeat(1_000), c: "x".repeat(1_000), d: filler.repeat(length) });
      }
    }
    const sizes = lines.map((line) => Buffer.byteLength(line));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4_096);
    expect(sizes.filter((size) => size > 4_090).length).toBeGreaterThan(0);
  });

  it("says that a line was cut and keeps what finds the rest", () => {
    const { log, only } = logged();
    log.info("m".repeat(2_000), {
      a: "x".repeat(2_000),
      b: "y".repeat(2_000),
      c: "z".repeat(2_000),
      d: "z".repeat(2_000),
    });
    const line = only();
    expect(line).toMatchObject({ level: "info", service: "edge", cut: true });
    expect(line).not.toHaveProperty("a");
    expect(String(line.msg)).toMatch(/^m{256}\.\.\.$/);
  });

  it("is readable as text, and escapes what strangers send", () => {
    const { log, lines } = logged("text");
    log.info("accepted", { port: 8080, name: "a b", evil: "x\n\u001b[2J\u202e\u009b" });
    expect(lines[0]).toBe(
      '03:04:05.678 info edge: accepted port=8080 name="a b" evil="x\\n\\u001b[2J\\u202e\\u009b"\n',
    );
  });
});

import { execFile } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("prepare.ts", import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "portcullis-prepare-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** As from a shell with the strictest umask that people have. */
const prepare = (...options: string[]) =>
  promisify(execFile)("sh", [
    "-c",
    'umask 077; exec "$0" "$@"',
    process.execPath,
    program,
    "--folder",
    folder,
    ...options,
  ]);
const modeOf = async (...names: string[]) => ((await stat(join(folder, ...names))).mode & 0o777).toString(8);

describe("what containers are given", () => {
  it("can be read in a container by who is not its owner, and on this machine by nobody else", async () => {
    await prepare();
    for (const [directory, file] of [["nats", "nats.conf"] as const, ["tls", "server.pem"] as const])
      expect([await modeOf(directory), await modeOf(directory, file)]).toEqual(["755", "644"]);
    expect(await modeOf()).toBe("700");
    for (const file of ["keys.env", "owner.env", "secrets.json"]) expect(await modeOf(file)).toBe("600");
  });

  it("stays what it was when it is prepared again, and so do settings that were added", async () => {
    await prepare("--host", "portcullis.test");
    const read = () =>
      Promise.all(["keys.env", "notify.env", "tls/server.pem"].map((name) => readFile(join(folder, name), "utf8")));
    await appendFile(join(folder, "notify.env"), "SMTP_URL=smtps://mail.example.com\n");
    const before = await read();
    await prepare();
    expect(await read()).toEqual(before);
    expect(before[1]).toContain("SMTP_URL=");
  });

  it("is not said to have a certificate for a name that it has none for", async () => {
    await prepare();
    await expect(prepare("--host", "portcullis.test")).rejects.toThrow(/there is a certificate already/);
  });
});

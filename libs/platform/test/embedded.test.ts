import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServiceName, serverIdentity, services } from "@portcullis/contracts";
import { createCloser, createHealth, createLogger, StartupError, systemRandom, VaultError } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openMasterKeyFile, readMasterKeyFile } from "../src/master-key.ts";
import { type EmbeddedOptions, openEmbedded } from "../src/mod.ts";

let dataDir: string;
const closers: ReturnType<typeof createCloser>[] = [];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "portcullis-platform-"));
});
afterEach(async () => {
  for (const closer of closers.splice(0)) await closer.close();
  await rm(dataDir, { recursive: true, force: true });
});

function open(options: Partial<EmbeddedOptions> = {}) {
  const closer = createCloser((_, error) => {
    throw error;
  });
  closers.push(closer);
  const log = createLogger({ service: "test", level: "silent" });
  return openEmbedded({ dataDir, log, health: createHealth(), closer, ...options });
}
const reopen = async () => {
  await closers.pop()?.close();
  return open();
};
const keyFile = () => join(dataDir, "master.key");
const freshKey = () => Buffer.from(systemRandom(32)).toString("base64url");

describe("the master key of the embedded form", () => {
  it("is made on the first run, for its owner's eyes only, and stays", async () => {
    const { vault } = (await open()).platformFor("keys");
    const wrapped = vault.wrap(Buffer.from("secret"), "here");
    const text = await readFile(keyFile(), "utf8");
    expect(text).toMatch(/^[A-Za-z0-9_-]{43}\n$/);
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir, "portcullis.sqlite"))).mode & 0o777).toBe(0o600);
    const again = (await reopen()).platformFor("keys");
    expect(Buffer.from(again.vault.unwrap(wrapped, "here")).toString()).toBe("secret");
    expect(await readFile(keyFile(), "utf8")).toBe(text);
  });

  it("is one for many who start at once, and no draft of it is left", async () => {
    const database = join(dataDir, "portcullis.sqlite");
    const all = await Promise.all(
      Array.from({ length: 8 }, async () => {
        await openMasterKeyFile(keyFile(), database);
        return readMasterKeyFile(keyFile());
      }),
    );
    expect(new Set(all.map(({ current }) => Buffer.from(current).toString("hex"))).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(["master.key"]);
  });

  it("is given back its permissions where somebody restored it with others", async () => {
    await open();
    await chmod(keyFile(), 0o644);
    await reopen();
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["empty", ""],
    ["cut", freshKey().slice(0, 20)],
    ["no key", "x".repeat(43)],
    ["followed by something else", `${freshKey()}\nnonsense`],
    ["followed by too many", `${Array.from({ length: 10 }, freshKey).join("\n")}`],
  ])("that is %s ends the start with one line, and is left as it is", async (_, text) => {
    await writeFile(keyFile(), text);
    await expect(open()).rejects.toThrow(StartupError);
    await expect(open()).rejects.toThrow(`${keyFile()} is damaged`);
    expect(await readFile(keyFile(), "utf8")).toBe(text);
  });

  it("that cannot be read ends the start with one line, which says why", async () => {
    await mkdir(keyFile());
    await expect(open()).rejects.toThrow(StartupError);
    await expect(open()).rejects.toThrow(`${keyFile()} cannot be read (EISDIR)`);
  });

  it("that is missing although there is data is not replaced", async () => {
    await open();
    await closers.pop()?.close();
    await rm(keyFile());
    await expect(open()).rejects.toThrow(StartupError);
    await expect(open()).rejects.toThrow(/master\.key is missing/);
    expect(await readdir(dataDir)).not.toContain("master.key");
  });

  it("may have older ones below it, which open and do not seal", async () => {
    const old = (await open()).platformFor("keys").vault;
    const [wrapped, tag] = [old.wrap(Buffer.from("secret"), "here"), old.subkey("label")];
    await writeFile(keyFile(), `${freshKey()}\n${await readFile(keyFile(), "utf8")}`);
    const { vault } = (await reopen()).platformFor("keys");
    expect(Buffer.from(vault.unwrap(wrapped, "here")).toString()).toBe("secret");
    expect(vault.subkey("label")).toEqual(tag);
  });

  it("is one key, but what one service seals no other opens", async () => {
    const embedded = await open({ dataDir: null });
    const [keys, factors] = [embedded.platformFor("keys").vault, embedded.platformFor("factors").vault];
    expect(() => factors.unwrap(keys.wrap(Buffer.from("secret"), "here"), "here")).toThrow(VaultError);
  });
});

describe("what a service gets", () => {
  const has: Record<ServiceName, readonly string[]> = {
    edge: [],
    api: [],
    identity: ["documents", "state", "jobs", "vault"],
    factors: ["documents", "state", "jobs", "vault"],
    keys: ["documents", "state", "vault"],
    notify: ["jobs"],
  };

  it.each(services)("is what it asked for and nothing else: %s", async (service) => {
    const platform = (await open({ dataDir: null })).platformFor(service);
    for (const part of ["documents", "state", "jobs", "vault"] as const) {
      if (has[service].includes(part)) expect(platform[part]).toBeTypeOf("object");
      else expect(() => platform[part], part).toThrow(TypeError);
    }
  });

  it("has a name of its own for each replica, because some questions are for one of them only", async () => {
    const embedded = await open({ dataDir: null });
    const names = ["keys", "keys", "edge", "keys"].map(
      (service) => embedded.platformFor(service as ServiceName).instance,
    );
    expect(names).toEqual(["keys", "keys-2", "edge", "keys-3"]);
    expect(embedded.platformFor("edge", "edge-1").instance).toBe("edge-1");
  });

  it("speaks to the others under seal, and only as the contracts say", async () => {
    const traffic: string[] = [];
    const embedded = await open({
      dataDir: null,
      onTraffic: (data) => traffic.push(Buffer.from(data).toString("latin1")),
    });
    const [keys, api, edge] = [embedded.platformFor("keys"), embedded.platformFor("api"), embedded.platformFor("edge")];
    await keys.server.serve(serverIdentity, () => ({ fingerprint: "planted-fingerprint" }));
    expect(await api.caller.call(serverIdentity, {})).toEqual({ fingerprint: "planted-fingerprint" });
    expect(traffic.length).toBeGreaterThan(1);
    for (const bytes of traffic) expect(bytes).not.toContain("planted-fingerprint");
    await expect(edge.caller.call(serverIdentity, {})).rejects.toThrow(TypeError);
    await expect(edge.server.serve(serverIdentity, () => ({ fingerprint: "x" }))).rejects.toThrow(TypeError);
  });
});

import { generateServiceKeyPair } from "@portcullis/bus";
import { services } from "@portcullis/contracts";
import { ConfigError, choice, defineConfig, readConfig, systemRandom } from "@portcullis/runtime";
import { describe, expect, it } from "vitest";
import { distributedConfig, embeddedConfig } from "../src/mod.ts";
import { readServiceConfig } from "../src/run-service.ts";

const key = () => Buffer.from(systemRandom(32)).toString("base64url");
const publicKeys = services.map((name) => [name, generateServiceKeyPair().publicKey] as const);
const directory = publicKeys.map((pair) => pair.join("=")).join(",");
const own = defineConfig({
  color: { env: "COLOR", type: choice(["red", "blue"]), describe: "A colour." },
});
const complete = {
  COLOR: "red",
  NATS_PASSWORD: "planted-password",
  SEAL_KEY: key(),
  SEAL_DIRECTORY: directory,
  MASTER_KEY: key(),
  MONGODB_URL: "mongodb://localhost",
  REDIS_URL: "redis://localhost",
};

function problems(environment: Record<string, string | undefined>, service: (typeof services)[number] = "identity") {
  try {
    readServiceConfig(service, own, environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}
const named = (lines: readonly string[]) => lines.map((line) => line.split(":")[0]).sort();

describe("the settings of a process", () => {
  it("are complete, frozen, and the service's own beside the platform's", () => {
    const { base, config } = readServiceConfig("identity", own, complete);
    expect(config).toEqual({ color: "red" });
    expect(base).toMatchObject({ natsUrl: "nats://127.0.0.1:4222", previousMasterKeys: null, instance: null });
    expect(Object.isFrozen(base)).toBe(true);
    expect(base.sealDirectory).toEqual(Object.fromEntries(publicKeys));
  });

  it("report everything that is wrong at once: the platform's, the service's, and what only this service needs", () => {
    const wrong = { LOG_LEVEL: "loud", NATS_URL: "http://x", HEALTH_PORT: "-1", COLOR: "green", MASTER_KEY: "planted" };
    const found = problems(wrong);
    expect(named(found)).toEqual(
      [
        "COLOR",
        "HEALTH_PORT",
        "LOG_LEVEL",
        "MASTER_KEY",
        "MONGODB_URL",
        "NATS_PASSWORD",
        "NATS_URL",
        "REDIS_URL",
        "SEAL_DIRECTORY",
        "SEAL_KEY",
      ].sort(),
    );
    expect(found.join("\n")).not.toContain("planted");
  });

  it.each([
    ["edge", []],
    ["api", []],
    ["notify", ["REDIS_URL"]],
    ["keys", ["MASTER_KEY", "MONGODB_URL", "REDIS_URL"]],
    ["factors", ["MASTER_KEY", "MONGODB_URL", "REDIS_URL"]],
  ] as const)("name as missing only what the service uses: %s", (service, needed) => {
    const { COLOR, NATS_PASSWORD, SEAL_KEY, SEAL_DIRECTORY } = complete;
    expect(named(problems({ COLOR, NATS_PASSWORD, SEAL_KEY, SEAL_DIRECTORY }, service))).toEqual(needed);
  });

  it("take older master keys, at most eight, whole ones only", () => {
    const read = (text: string) => problems({ ...complete, MASTER_KEY_PREVIOUS: text });
    expect(
      readServiceConfig("keys", own, { ...complete, MASTER_KEY_PREVIOUS: `${key()}, ${key()}` }).base
        .previousMasterKeys,
    ).toHaveLength(2);
    for (const text of ["x", `${key()},`, `${key()}x`, Array.from({ length: 9 }, key).join(",")])
      expect(named(read(text)), text).toEqual(["MASTER_KEY_PREVIOUS"]);
    expect(read("planted-key")[0]).not.toContain("planted-key");
  });

  it("of the embedded form need nothing at all", () => {
    expect(readConfig(embeddedConfig, {})).toMatchObject({ dataDir: "./data", logFormat: "text", logLevel: "warn" });
  });
});

describe("the directory of seals", () => {
  const read = (text: string) =>
    readConfig(distributedConfig, { ...complete, SEAL_DIRECTORY: text }).sealDirectory as Record<string, string>;

  it("names every service once, in any order, with blanks or without", () => {
    const shuffled = publicKeys.toReversed().map((pair) => pair.join("="));
    expect(read(shuffled.join(" , "))).toEqual(Object.fromEntries(publicKeys));
    expect(Object.isFrozen(read(directory))).toBe(true);
  });

  const [edge, ...others] = directory.split(",");
  const notCanonical = () => {
    const last = edge?.at(-1) ?? "";
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return `${edge?.slice(0, -1)}${alphabet[alphabet.indexOf(last) + 1]}`;
  };
  it.each([
    ["a service is missing", others.join(",")],
    ["a service stands twice", `${directory},${edge}`],
    ["another one stands twice in its place", [edge, edge, ...others.slice(1)].join(",")],
    ["a name is unknown", `${directory},console=${key()}`],
    ["a name is one of JavaScript's own", directory.replace("edge=", "__proto__=")],
    ["a key is cut", directory.slice(0, -1)],
    ["a key has something behind it", directory.replace(",", "=x,")],
    ["a key has bits that mean nothing", [notCanonical(), ...others].join(",")],
    ["there is an end without a pair", `${directory},`],
  ])("is refused whole where %s", (_, text) => {
    expect(() => read(text)).toThrow(/SEAL_DIRECTORY/);
  });
});

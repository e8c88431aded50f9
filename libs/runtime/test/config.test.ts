import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  bytes,
  ConfigError,
  choice,
  defineConfig,
  describeConfig,
  duration,
  flag,
  fraction,
  list,
  port,
  readConfig,
  renderConfigHelp,
  secretKey,
  text,
  url,
} from "../src/mod.ts";

const key = Buffer.alloc(32, 7).toString("base64url");

const definition = defineConfig(
  {
    port: { env: "PORT", type: port(), default: "8080", describe: "TCP port of the API. 0 takes a free one." },
    idle: { env: "IDLE", type: duration({ min: "1s", max: "1h" }), default: "30s", describe: "Longest silence." },
    frame: { env: "FRAME", type: bytes({ min: "1KiB", max: "1MiB" }), default: "64KiB", describe: "Largest frame." },
    otlp: { env: "OTLP", type: url(["http", "https"]), default: null, describe: "Collector." },
    signUp: { env: "SIGN_UP", type: flag(), default: "false", describe: "Whether anybody may sign up." },
    level: {
      env: "LEVEL",
      type: choice(["info", "warn"]),
      default: "info",
      describe: "Least severity that is logged.",
    },
    origins: { env: "ORIGINS", type: list(url(["https"])), default: "https://a.example", describe: "Allowed origins." },
    masterKey: { env: "PORTCULLIS_MASTER_KEY", type: secretKey(), describe: "Master key.", secret: true },
    nats: { env: "PORTCULLIS_NATS_URL", type: url(["nats"]), default: null, describe: "Bus." },
  },
  { prefix: "PORTCULLIS_", alsoKnown: ["PORTCULLIS_OTHER"] },
);

function problemsOf(environment: Record<string, string | undefined>): string[] {
  try {
    readConfig(definition, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("configuration", () => {
  it("gives typed values and defaults, frozen", () => {
    const config = readConfig(definition, {
      PORTCULLIS_MASTER_KEY: key,
      IDLE: "5m",
      PORT: "0",
      ORIGINS: "https://x.example, https://y.example",
    });
    const typed: {
      port: number;
      otlp: string | null;
      level: "info" | "warn";
      origins: readonly string[];
      masterKey: Uint8Array;
    } = config;
    expect(typed).toEqual({
      port: 0,
      idle: 300_000,
      frame: 65_536,
      otlp: null,
      signUp: false,
      level: "info",
      origins: ["https://x.example", "https://y.example"],
      masterKey: new Uint8Array(32).fill(7),
      nats: null,
    });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.origins)).toBe(true);
  });

  it("reports every problem at once, one line each", () => {
    expect(
      problemsOf({
        PORT: "abc",
        IDLE: "90",
        FRAME: "2MiB",
        OTLP: "ftp://x",
        SIGN_UP: "yes",
        LEVEL: "loud",
        ORIGINS: "https://a,,b",
      }),
    ).toEqual([
      'PORT: "abc" is not a number between 0 and 65535 (default 8080)',
      'IDLE: "90" is not a duration between 1s and 1h, like 250ms, 30s, 5m, 12h or 7d (default 30s)',
      'FRAME: "2MiB" is not a size between 1KiB and 1MiB, like 65536, 64KiB, 1MiB or 2GiB (default 64KiB)',
      'OTLP: "ftp://x" is not a URL that starts with http:// or https://',
      'SIGN_UP: "yes" is not true or false (default false)',
      'LEVEL: "loud" is not one of info, warn (default info)',
      'ORIGINS: "https://a,,b" is not a list between commas, each of it a URL that starts with https:// (default https://a.example)',
      "PORTCULLIS_MASTER_KEY: is not set, and must be a key of 32 bytes as 43 characters of base64url",
    ]);
  });

  it("takes an empty variable as unset, but nothing else", () => {
    expect(readConfig(definition, { PORT: "", PORTCULLIS_MASTER_KEY: key }).port).toBe(8080);
    expect(problemsOf({ PORT: " ", PORTCULLIS_MASTER_KEY: key })).toHaveLength(1);
    expect(problemsOf({ PORTCULLIS_MASTER_KEY: "" })[0]).toContain("is not set");
  });

  it.each([
    ["PORT", ["65536", "-1", "80.0", "1e3", "0x50", "８０", "80 ", "+80"]],
    ["IDLE", ["0", "1", "999ms", "61m", "1.5s", "s", "30S", "-1s", "99999999999d"]],
    ["FRAME", ["1023", "64kB", "64kib", "1 MiB", "-1", "1TiB", ""].filter((value) => value !== "")],
    ["OTLP", ["http//x", "http://", "HTTP://x", "http://x\n", "http://a b", "javascript:alert(1)"]],
    ["SIGN_UP", ["1", "TRUE", "no"]],
  ])("refuses garbage in %s", (name, values) => {
    for (const value of values)
      expect(problemsOf({ PORTCULLIS_MASTER_KEY: key, [name]: value }), value).toHaveLength(1);
  });

  it.each([
    key.slice(1),
    `${key}A`,
    `${key}=`,
    // The last character holds two bits that no key uses: a second spelling of the same key is refused.
    `${key.slice(0, -1)}d`,
    key.replace("B", "+"),
    Buffer.alloc(32, 7).toString("hex"),
  ])("refuses %s as a key and does not show it", (value) => {
    const problems = problemsOf({ PORTCULLIS_MASTER_KEY: value });
    expect(problems).toEqual([
      "PORTCULLIS_MASTER_KEY: the value (secret, not shown) is not a key of 32 bytes as 43 characters of base64url",
    ]);
  });

  it("shows no secret and no password of a connection string, in errors and in descriptions", () => {
    const messages = [
      ...problemsOf({ PORTCULLIS_MASTER_KEY: key, PORTCULLIS_NATS_URL: "http://user:p/w@ord@bus:4222" }),
      ...problemsOf({ PORTCULLIS_MASTER_KEY: key, PORTCULLIS_NATS_URL: "user:p/w@ord@bus" }),
    ].join("\n");
    expect(messages).toContain('"http://***@bus:4222" is not');
    expect(messages).not.toMatch(/user|p\/w|ord@/);

    const config = readConfig(definition, {
      PORTCULLIS_MASTER_KEY: key,
      PORTCULLIS_NATS_URL: "nats://user:pass@bus:4222",
    });
    const described = describeConfig(definition, config);
    expect(described).toMatchObject({
      PORT: "8080",
      OTLP: "(unset)",
      PORTCULLIS_MASTER_KEY: "(secret, set)",
      PORTCULLIS_NATS_URL: "nats://***@bus:4222",
    });
    expect(JSON.stringify(described)).not.toContain(key);
    expect(JSON.stringify(described)).not.toContain("pass");
  });

  it("keeps what a zod type of the caller says about a secret out of the message", () => {
    const planted = defineConfig({
      pin: {
        env: "PIN",
        type: z.string().refine(() => false, { error: (issue) => `saw ${String(issue.input)}` }),
        describe: "Pin.",
        secret: true,
      },
    });
    expect(() => readConfig(planted, { PIN: "hunter2" })).toThrow(
      /^PIN: the value \(secret, not shown\) is not a valid value$/,
    );
  });

  it("does not let a value forge lines or fill the screen", () => {
    const [problem, ...more] = problemsOf({ PORTCULLIS_MASTER_KEY: key, PORT: `1\n\u001b[2J${"9".repeat(10_000)}` });
    expect(more).toEqual([]);
    expect(problem).toContain("\\n\\u001b[2J999");
    expect(problem?.length).toBeLessThan(200);
  });

  it("refuses an unknown variable of the prefix, says what was meant, and does not show its value", () => {
    const problems = problemsOf({
      PORTCULLIS_MASTER_KEY: key,
      PORTCULLIS_MASTERKEY: "hunter2",
      PORTCULLIS_UNRELATED: "x",
      PORTCULLIS_OTHER: "x",
      PATH: "/bin",
    });
    expect(problems).toEqual([
      "PORTCULLIS_MASTERKEY: is not a setting; did you mean PORTCULLIS_MASTER_KEY?",
      "PORTCULLIS_UNRELATED: is not a setting",
    ]);
  });

  it("refuses definitions that contradict themselves", () => {
    const describe = "Thing.";
    expect(() => defineConfig({ a: { env: "A", type: port(), default: "x", describe } })).toThrow("default of A");
    expect(() =>
      defineConfig({ a: { env: "A", type: port(), describe }, b: { env: "A", type: port(), describe } }),
    ).toThrow("twice");
    expect(() => defineConfig({ a: { env: "A", type: secretKey(), describe } })).toThrow("must be secret");
    expect(() =>
      defineConfig({ a: { env: "A", type: text({ min: 1, max: 9 }), default: "x", secret: true, describe } }),
    ).toThrow("everybody's");
    expect(() => defineConfig({ a: { env: "A", type: port(), describe: " " } })).toThrow("not described");
    expect(() => duration({ min: "1h", max: "1s" })).toThrow("not bounds");
  });

  it("renders each option with its bounds and default, sorted", () => {
    const help = renderConfigHelp(definition);
    expect(help).toContain(
      "PORT\n    TCP port of the API. 0 takes a free one.\n    A number between 0 and 65535; default 8080.\n",
    );
    expect(help).toContain(
      "PORTCULLIS_MASTER_KEY\n    Master key.\n    A key of 32 bytes as 43 characters of base64url; required; secret.\n",
    );
    expect(help.indexOf("FRAME\n")).toBeLessThan(help.indexOf("PORT\n"));
  });

  it("reads shares between 0 and 1", () => {
    const share = defineConfig({ s: { env: "S", type: fraction(), describe: "Share." } });
    expect(["0", "0.25", "1", "1.0"].map((S) => readConfig(share, { S }).s)).toEqual([0, 0.25, 1, 1]);
    for (const S of ["1.1", ".5", "2", "NaN", "1e-1"]) expect(() => readConfig(share, { S }), S).toThrow(ConfigError);
  });
});

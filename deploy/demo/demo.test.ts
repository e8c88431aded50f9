import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../local/free-port.ts";
import { chainNames } from "./chains/registry.ts";
import { createOutcome, expectationsOf, type Outcome } from "./outcome.ts";
import { type Program, run, stopPrograms } from "./test/program.ts";

const script = "deploy/demo/demo.ts";
const full = process.env.PORTCULLIS_FULL === "1";

afterAll(() => stopPrograms());

async function resultOf(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const demo = run(script, ["--json", ...args], env);
  const code = await demo.exit;
  expect(code, demo.stderr).toBe(0);
  expect(demo.stderr).not.toContain("\u001b");
  const lines = demo.stdout.trim().split("\n");
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? "") as Outcome & { ok: boolean };
}

const asItShouldBe = {
  ok: true,
  verdict: "accept",
  gates: ["key otp email question", "key otp sms question"],
  delivered: true,
  resumed: true,
  control: true,
  impostor: "deny",
  impostors: { wrongKey: "deny", replayedCode: "deny" },
  kicked: true,
  canariesSeen: 0,
  controlSeen: true,
  error: null,
};

describe("the demo", { timeout: 180_000 }, () => {
  test("shows the main job in one process, and says so in one line", async () => {
    const result = await resultOf();
    expect(result).toMatchObject({ ...asItShouldBe, mode: "embedded", edges: ["edge-1", "edge-1"] });
    expect(result.recordedBytes).toBeGreaterThan(10_000);
    expect(result.canariesSought).toBe(27);
  });

  test.runIf(full)("shows the long chain, and says so in one line", async () => {
    const result = await resultOf(["--chain", "seed"]);
    expect(result).toMatchObject({ ok: true, mode: "embedded", chain: "seed", error: null });
    expect(result.gates).toEqual(["key", "otp", "sms", "approval", "question", "captcha", "ident"]);
  });

  test("leaves neither process nor file behind when it is interrupted", async () => {
    const folder = await mkdtemp(join(tmpdir(), "portcullis-test-"));
    try {
      const demo = run(script, [], { TMPDIR: folder });
      const [, url = ""] = await demo.until(/Ready after .*: (http\S+)/);
      expect(await readdir(folder)).toHaveLength(1);
      demo.child.kill("SIGINT");
      expect(await demo.exit).toBe(130);
      expect(await readdir(folder)).toEqual([]);
      await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("refuses arguments that it does not know", async () => {
    const demo = run(script, ["--mode", "sideways"]);
    expect(await demo.exit).toBe(2);
    expect(demo.stderr).toContain("--mode is embedded or distributed or running");
  });
});

describe.runIf(full)("the demo on processes that run already", { timeout: 60_000 }, () => {
  let folder = "";
  let services: Program;
  let where: readonly string[] = [];
  let keys: Readonly<Record<string, string>> = {};
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "portcullis-test-"));
    const env = { PORT: `${await freePort()}`, DATA_DIR: join(folder, "data"), DEMO: "false" };
    services = run("deploy/local/start-distributed.ts", [], env);
    const [, url = ""] = await services.until(/is ready: (http\S+)/);
    const [, outboxKey = ""] = await services.until(/outbox#(\S+)/);
    const [, bootstrapToken = ""] = await services.until(/bootstrap token: (\S+)/);
    where = ["--mode", "running", "--url", url];
    keys = { OUTBOX_KEY: outboxKey, BOOTSTRAP_TOKEN: bootstrapToken };
  }, 120_000);
  afterAll(async () => {
    services.child.kill("SIGTERM");
    await services.exit;
    await rm(folder, { recursive: true, force: true });
  }, 30_000);

  test("shows the main job, with the members on different edges", async () => {
    const result = await resultOf(where, keys);
    expect(result).toMatchObject({ ...asItShouldBe, mode: "running" });
    expect(new Set(result.edges).size).toBe(2);
  });

  test.each(chainNames)("shows the chain %s", async (chain) => {
    const result = await resultOf([...where, "--chain", chain], keys);
    expect(result).toMatchObject({ ok: true, mode: "running", chain, error: null });
  });
});

describe("what the demo expects", () => {
  const good: Outcome = {
    ...createOutcome("distributed"),
    verdict: "accept",
    gates: ["key otp email question", "key otp sms question"],
    delivered: true,
    resumed: true,
    control: true,
    edges: ["edge-1", "edge-2"],
    impostor: "deny",
    impostors: { wrongKey: "deny", replayedCode: "deny" },
    kicked: true,
    canariesSought: 9,
    canariesSeen: 0,
    controlSeen: true,
  };
  const failuresOf = (change: Partial<Outcome>) => expectationsOf({ ...good, ...change }).filter(({ isSo }) => !isSo);

  test("is met by a story in which all went well", () => expect(failuresOf({})).toEqual([]));

  test.each<[string, Partial<Outcome>, RegExp]>([
    ["a member who was not let in", { verdict: "deny" }, /verdict: deny/],
    ["a gate that was left out", { gates: ["key otp question"] }, /the whole chain.*\(passed: key otp question\)/],
    ["a lost message", { delivered: false }, /delivered/],
    ["one edge instead of two", { edges: ["edge-1", "edge-1"] }, /two different edges/],
    ["a wrong key that was taken", { impostors: { wrongKey: "accept", replayedCode: "deny" } }, /wrong key/],
    ["a used code that was taken", { impostors: { wrongKey: "deny", replayedCode: "accept" } }, /used code/],
    ["sessions that did not go on", { resumed: false }, /went on/],
    ["a control that did not work", { control: false }, /same chain works/],
    ["a kick without effect", { kicked: false }, /kicked/],
    ["a secret in the recording", { canariesSeen: 1, canariesFound: ["app key, raw, 1.up"] }, /1 of 9 seen: app key/],
    ["a recording that was not searched", { canariesSeen: null }, /not searched/],
    ["a search that finds nothing at all", { controlSeen: false }, /the search can find/],
    ["a story that broke off", { error: "no bob" }, /broke off: no bob/],
  ])("names %s", (_, change, line) => {
    const failures = failuresOf(change);
    expect(failures).toHaveLength(1);
    expect(failures[0]?.text).toMatch(line);
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run, stopPrograms } from "../../deploy/demo/test/program.ts";

/** Slow, for it starts many programs: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";

const good = { gates: [{ gate: "key" }, { gate: "otp" }], encryption: { session: "required", suite: "post-quantum" } };
const weak = { gates: [{ gate: "email" }] };

describe.runIf(full)("portcullis policy", { timeout: 60_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "portcullis-policy-"));
  });
  afterAll(async () => {
    await stopPrograms();
    await rm(folder, { recursive: true, force: true });
  });

  async function file(content: unknown, name = "policy.json"): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  }
  async function policy(args: readonly string[], input?: unknown) {
    const program = run("cli/main.ts", ["policy", ...args]);
    if (input !== undefined) program.type(JSON.stringify(input));
    program.endInput();
    const exit = await program.exit;
    return { exit, out: program.stdout, err: program.stderr };
  }

  test("check says that a policy is good, and from standard input too", async () => {
    const said = { exit: 0, out: "The policy is valid.\n", err: "" };
    expect(await policy(["check", await file(good)])).toEqual(said);
    expect(await policy(["check", "-", "--strict"], good)).toEqual(said);
  });

  test("check says where a policy is wrong, and ends with 1", async () => {
    const bad = await file({ gates: [{ gate: "fax" }], mode: 3 });
    const { exit, out } = await policy(["check", bad]);
    expect(exit).toBe(1);
    expect(out).toMatch(
      /^Not a policy:\npath +message\ngates\.0\.gate +allowed: path, .*\nmode +allowed: prompted, offered\n$/,
    );
    const json = await policy(["check", bad, "--json"]);
    expect(json.exit).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      ok: false,
      issues: [{ path: "gates.0.gate" }, { path: "mode" }],
      advice: [],
    });
  });

  test("check names what is weak, the gravest first; --strict ends with 1 then", async () => {
    const path = await file(weak);
    const { exit, out } = await policy(["check", path]);
    expect(exit).toBe(0);
    expect(out).toMatch(/Weaker than it may look:\nseverity +path +code +message\ndanger +gates +readers-get-in/);
    expect((await policy(["check", path, "--strict"])).exit).toBe(1);
    const info = { ...good, encryption: { session: "none" } };
    expect((await policy(["check", await file(info), "--strict"])).exit).toBe(0);
  });

  test("play tells a script step by step, and who gets in with what", async () => {
    const script = await file([{ answer: "otp", right: false }, { pass: "31s" }, { leave: true }], "script.json");
    const { exit, out, err } = await policy(["play", await file(good), "--script", script]);
    expect([exit, err]).toEqual([0, ""]);
    expect(out).toMatch(/^step +at +client +hears +in truth\n-/);
    expect(out).toMatch(
      /1 +0 s +answers otp wrongly +asked for otp \(1\), 2 left, until 30 s, once more +wrong, 1 counted/,
    );
    expect(out).toMatch(/2 +30 s +lets 31 s pass +denied/);
    expect(out).toContain("Denied: deadline. The client hears only that it is denied. 1 more steps were not played.");
    expect(out).toMatch(/always +key \(0\), otp \(1\) +app-key, member-authenticator/);
    expect(out).toMatch(/an app key +no +member-authenticator/);
    expect(out).toMatch(/laptop and phone +yes/);
  });

  test("play goes the first way by itself, from where and when it is told", async () => {
    const when = {
      gates: [
        {
          when: { network: ["10.0.0.0/8"], time: { days: ["wed"] } },
          then: [{ gate: "otp" }],
          else: [{ gate: "sms" }],
        },
      ],
    };
    const path = await file(when, "when.json");
    const taken = async (...args: string[]) => {
      const { out } = await policy(["play", path, "--json", "--at", "2026-11-25T12:00:00Z", ...args]);
      const { simulation } = JSON.parse(out);
      return [simulation.branches[0].take, simulation.verdict, simulation.gates.join(" ")];
    };
    expect(await taken("--address", "10.1.1.1")).toEqual(["then", "accept", "otp"]);
    expect(await taken("--address", "192.0.2.1", "--enrolled", "sms")).toEqual(["else", "accept", "sms"]);
    expect(await taken()).toEqual(["both", "accept", "otp sms"]);
    expect(await taken("--as", "")).toEqual(["both", "deny", ""]);
  });

  test("says what is wrong with files and arguments, in one line, and shows no terminal what is in them", async () => {
    const line = async (args: readonly string[], input?: unknown) => {
      const { exit, err } = await policy(args, input);
      return [exit, err.split("\n")[0]];
    };
    expect(await line(["check", join(folder, "none.json")])).toEqual([2, expect.stringMatching(/cannot be read$/)]);
    expect(await line(["check", await file("{", "broken.json")])).toEqual([2, expect.stringMatching(/is no JSON$/)]);
    expect(await line(["check", await file(`"${"x".repeat(65_536)}"`, "large.json")])).toEqual([
      2,
      "policy: a document has at most 65536 bytes",
    ]);
    expect(await line(["check"])).toEqual([2, "policy: it is: portcullis policy check FILE"]);
    expect(await line(["paint", "x"])).toEqual([
      2,
      "policy: there is no command of that name: see portcullis policy --help",
    ]);
    expect(await line(["play", await file(good), "--risk", "some"])).toEqual([
      2,
      expect.stringMatching(/^policy: options: risk: /),
    ]);
    expect(await line(["play", await file(good), "--script", "-"], [{ jump: 1 }])).toEqual([
      2,
      expect.stringMatching(/^policy: -: 0: must be a step/),
    ]);
    const hostile = await policy(["check", "-"], { gates: [{ gate: "otp" }], "\u001b[2Jx": 1 });
    expect(hostile.out).not.toContain("\u001b");
    expect((await policy(["--help"])).out).toContain("portcullis policy COMMAND FILE");
  });
});

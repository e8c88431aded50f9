import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scan } from "../../deploy/demo/authenticator.ts";
import { type DemoServer, startDemoServer } from "../../deploy/demo/test/demo-server.ts";
import { type Program, run, runInTerminal } from "../../deploy/demo/test/program.ts";
import { type Owner, signIn } from "../../deploy/local/owner.ts";

/** Slow, for each is a program that starts: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";

const cli = "cli/main.ts";
const hasTerminal = spawnSync("script", ["--version"]).status === 0;
let server: DemoServer;
let dataDir: string;
let url: string;
let owner: Owner;

beforeAll(async () => {
  server = await startDemoServer();
  ({ folder: dataDir, url } = server);
  owner = await signIn(url, server.demo.owner);
}, 60_000);
afterAll(() => server?.stop());

let sockets = 0;
/** A socket with bob on it, who has everything that a gate could ask for. */
async function socketWith(...gates: object[]) {
  sockets += 1;
  const made = await owner.post<{ id: string; url: string }>("/v1/sockets", {
    label: `cli-${sockets}`,
    policy: { gates: [{ gate: "key" }, ...gates], deadlines: { answer: "60s" } },
  });
  const { key } = await owner.post<{ key: string }>(`/v1/sockets/${made.id}/keys`, { label: "cli" });
  const contacts = { email: `bob-${randomInt(10 ** 9)}@example.com`, phone: `+49${randomInt(10 ** 9, 10 ** 10)}` };
  await owner.post(`/v1/sockets/${made.id}/members`, { name: "bob", contacts });
  const member = `/v1/sockets/${made.id}/members/bob`;
  return {
    id: made.id,
    ...contacts,
    env: { PORTCULLIS_URL: `${made.url}?id=bob`, PORTCULLIS_APP_KEY: key },
    authenticator: async () => scan((await owner.post<{ uri: string }>(`${member}/authenticator`)).uri),
    answerSecret: async () => (await owner.post<{ secret: string }>(`${member}/answer-secret`)).secret,
  };
}
async function sentTo(to: string): Promise<string[]> {
  const key = (await readFile(join(dataDir, "outbox.key"), "utf8")).trim();
  const answer = await fetch(`${url}/v1/outbox?limit=100`, { headers: { authorization: `Bearer ${key}` } });
  const { messages } = (await answer.json()) as { messages: { to: string; text: string }[] };
  return messages.filter((message) => message.to === to).map(({ text }) => text);
}
async function textTo(to: string): Promise<string> {
  await expect.poll(async () => (await sentTo(to)).length, { timeout: 10_000 }).toBe(1);
  return (await sentTo(to))[0] ?? "";
}
const codeIn = (text: string) => /\b\d{6}\b/.exec(text)?.[0] ?? "no code";
const linkIn = (text: string) => /https?:\/\/\S+\/confirm\/\S+/.exec(text)?.[0] ?? "no link";
const confirm = (link: string, number: string) =>
  fetch(link, { method: "POST", body: new URLSearchParams({ number }) });
const events = ({ stdout }: Program) =>
  stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));

describe.runIf(full)("connect, gate by gate", { timeout: 30_000 }, () => {
  test("through a pipe: a code that was sent, a question by itself, then a chat", async () => {
    const socket = await socketWith({ gate: "sms" }, { gate: "question" });
    const env = { ...socket.env, PORTCULLIS_ANSWER_SECRET: await socket.answerSecret() };
    const program = run(cli, ["connect"], env);
    await program.until(/A text message to •••\d\d was sent/);
    program.type("resend");
    await program.until(/Another message can be had in \d+ s/);
    program.type("12");
    await program.until(/A code is 6 digits/);
    program.type(codeIn(await textTo(socket.phone)));
    await program.until(/You are in as bob, through key and sms and question/);
    program.type("x".repeat(70_000));
    await program.until(/Not sent: at most 65536 bytes go at once/);
    program.type("hello");
    program.endInput();
    expect(await program.exit).toBe(0);
    expect(program.stdout).not.toContain("\u001b");
  });

  test("as JSON: each event on a line of its own, and nothing else", async () => {
    const socket = await socketWith({ gate: "email", by: "link" });
    const { PORTCULLIS_APP_KEY: appKey } = socket.env;
    const program = run(cli, ["connect", "--json"], socket.env);
    const link = linkIn(await textTo(socket.email));
    await expect.poll(() => events(program).length).toBeGreaterThan(1);
    const [server, waiting] = events(program);
    expect(server).toMatchObject({ event: "server", words: expect.stringMatching(/^(?:[a-z]+ ){5}[a-z]+$/) });
    expect(appKey.endsWith(`.${server.fingerprint}`)).toBe(true);
    expect(waiting).toMatchObject({
      event: "waiting",
      gate: "email",
      by: "link",
      number: expect.stringMatching(/^\d{3}$/),
    });
    await confirm(link, waiting.number);
    await program.until(/"event":"accepted"/);
    expect(events(program).at(-1)).toMatchObject({ event: "accepted", member: "bob", gates: ["key", "email"] });
    program.type("x".repeat(70_000));
    await program.until(/"event":"not-sent","code":"too-large"/);
    const { sessions } = await owner.get<{ sessions: { sid: string }[] }>(`/v1/sockets/${socket.id}/sessions`);
    await owner.delete(`/v1/sockets/${socket.id}/sessions/${sessions[0]?.sid}`);
    expect(await program.exit).toBe(1);
    expect(events(program).at(-1)).toMatchObject({ event: "closed", what: "kicked", sealed: true, retry: false });
    expect(
      program.stdout
        .trim()
        .split("\n")
        .every((line) => line.startsWith("{")),
    ).toBe(true);
  });

  test("drop gives up, with an exit code that says so", async () => {
    const socket = await socketWith({ gate: "sms" });
    const program = run(cli, ["connect"], socket.env);
    await program.until(/was sent/);
    program.type("drop");
    expect(await program.exit).toBe(1);
    expect(program.stderr).toBe("connect: dropped\n");
  });

  test("says that a link is used up by wrong numbers, and goes on with another", async () => {
    const socket = await socketWith({ gate: "email", by: "link" });
    const program = run(cli, ["connect"], socket.env);
    const [, number = ""] = await program.until(/type this number there: {2}(\d{3})/);
    const link = linkIn(await textTo(socket.email));
    for (let guess = 0; guess < 3; guess += 1) await confirm(link, number === "111" ? "112" : "111");
    await program.until(/Too many wrong numbers were typed behind the link, which is used up\./);
    await program.until(/was not sent: there were too many, or one just now/);
    program.type("resend");
    await program.until(/Another message can be had in \d+ s/);
    expect((await confirm(link, number)).status).toBe(410);
    program.type("drop");
    expect(await program.exit).toBe(1);
  });

  test("drop gives up where a way is to be chosen, and while a link is waited for", async () => {
    const chooses = await socketWith({ anyOf: [{ gate: "email" }, { gate: "sms" }] });
    const waits = await socketWith({ gate: "email", by: "link" });
    for (const [socket, asked] of [
      [chooses, /2 {2}Code from the text message/],
      [waits, /was sent/],
    ] as const) {
      const program = run(cli, ["connect"], socket.env);
      await program.until(asked);
      program.type("drop");
      expect([await program.exit, program.stderr]).toEqual([1, "connect: dropped\n"]);
    }
  });

  test("goes the only way that a person can go without asking which", async () => {
    const socket = await socketWith({ anyOf: [{ gate: "sms" }, { gate: "question" }] });
    await socket.answerSecret();
    const program = run(cli, ["connect"], socket.env);
    await program.until(/was sent/);
    expect(program.stdout).not.toContain("  1  ");
    program.type(codeIn(await textTo(socket.phone)));
    await program.until(/You are in as bob, through key and sms/);
    program.endInput();
    expect(await program.exit).toBe(0);
  });

  test("shows the statement to whoever has a rule, and takes what they pick", async () => {
    const socket = await socketWith({ gate: "question", kind: "rule" });
    const { rule } = await owner.put<{ rule: string }>(`/v1/sockets/${socket.id}/members/bob/answer-rule`, {});
    const program = run(cli, ["connect"], socket.env);
    const [, statement = ""] = await program.until(/^ {2}\+-+\+\n((?: {2}\|[a-z ]+\|\n)+) {2}\+-+\+$/m);
    const words = statement.match(/[a-z]+/g) ?? [];
    const picked = rule.split(" ").map((position) => words[Number(position) - 1]);
    program.type(picked.join(" "));
    await program.until(/You are in as bob, through key and question/);
    program.endInput();
    expect(await program.exit).toBe(0);
  });

  test("says what is missing: an answer secret, a command, an argument", async () => {
    const socket = await socketWith({ gate: "question" });
    await socket.answerSecret();
    const program = run(cli, ["connect"], socket.env);
    expect(await program.exit).toBe(1);
    expect(program.stderr).toMatch(/^connect: .*--answer-secret\n$/);
    const wrong = run(cli, ["connect"], { ...socket.env, PORTCULLIS_ANSWER_SECRET: "pa1.short" });
    expect(await wrong.exit).toBe(1);
    for (const args of [["fly"], ["connect", "--speed"], ["connect", "a", "b"]]) {
      const misused = run(cli, args, socket.env);
      expect([await misused.exit, misused.stdout], args.join(" ")).toEqual([2, ""]);
    }
    for (const args of [["--help"], [], ["connect", "--help"]]) {
      const helped = run(cli, args);
      expect(await helped.exit).toBe(0);
      expect(helped.stdout).toContain("Exit code:");
    }
  });
});

describe.runIf(full && hasTerminal)("connect at a terminal", { timeout: 30_000 }, () => {
  test("offers the ways, hides what is typed, and counts the time down", async () => {
    const socket = await socketWith({ anyOf: [{ gate: "otp" }, { gate: "sms" }] }, { gate: "email", by: "link" });
    const app = await socket.authenticator();
    const program = runInTerminal(cli, ["connect"], socket.env);
    await program.until(/Its words: (?:[a-z]+ ){5}[a-z]+/);
    await program.until(/1 {2}Code from your authenticator app/);
    await program.until(/2 {2}Code from the text message/);
    program.type("1");
    const [, first = ""] = await program.until(/Code from your authenticator app \([^)]*\) (0:\d\d) >/);
    await program.until(new RegExp(`(?!${first})0:\\d\\d >`));
    const code = app.code(Date.now());
    program.type(code);
    const [, number = ""] = await program.until(/type this number there: {2}(\d{3})/);
    expect(program.stdout).not.toContain(code);
    expect(program.stdout).toContain("•");
    await confirm(linkIn(await textTo(socket.email)), number);
    await program.until(/You are in as bob/);
    program.type("good evening");
    // What is not secret is seen.
    await program.until(/good evening/);
    program.child.stdin?.write("\u0004");
    expect(await program.exit).toBe(0);
  });

  test("another way can be taken while somebody else is waited for", async () => {
    const socket = await socketWith({ anyOf: [{ gate: "email", by: "link" }, { gate: "sms" }] });
    const program = runInTerminal(cli, ["connect"], socket.env);
    await program.until(/1 {2}a link by email/);
    program.type("1");
    await program.until(/Waiting, number \d{3} \(resend, other, drop\)/);
    program.type("other");
    await program.until(/Which way, 1 to 2 \(drop\) 9:\d\d/);
    program.type("7");
    await program.until(/A number from 1 to 2\./);
    program.type("2");
    await program.until(/A text message to .* was sent/);
    program.type(codeIn(await textTo(socket.phone)));
    await program.until(/You are in as bob, through key and sms/);
    program.child.stdin?.write("\u0004");
    expect(await program.exit).toBe(0);
  });
});

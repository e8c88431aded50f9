import { join } from "node:path";
import { connect } from "@portcullis/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Authenticator, scan } from "../../deploy/demo/authenticator.ts";
import { type DemoServer, startDemoServer } from "../../deploy/demo/test/demo-server.ts";
import { run } from "../../deploy/demo/test/program.ts";
import type { Demo } from "../../deploy/local/first-run.ts";
import { freePort } from "../../deploy/local/free-port.ts";
import { type Owner, signIn } from "../../deploy/local/owner.ts";
import { harmless, harmlessJson } from "../harmless.ts";

const cli = "cli/main.ts";

describe("the examples, after npm start", { timeout: 60_000 }, () => {
  let server: DemoServer;
  let dataDir: string;
  let demo: Demo;
  let owner: Owner;
  let env: Record<string, string>;

  beforeAll(async () => {
    server = await startDemoServer();
    ({ folder: dataDir, demo } = server);
    env = { DATA_DIR: dataDir };
    owner = await signIn(server.url, demo.owner);
  }, 60_000);
  afterAll(() => server?.stop());

  async function newMember(name: string): Promise<{ url: string; phone: Authenticator }> {
    const { sockets } = await owner.get<{ sockets: { id: string }[] }>("/v1/sockets");
    const members = `/v1/sockets/${sockets[0]?.id}/members`;
    await owner.post(members, { name });
    const { uri } = await owner.post<{ uri: string }>(`${members}/${name}/authenticator`);
    return { url: demo.socket.url.replace(/id=\w+$/, `id=${name}`), phone: scan(uri) };
  }

  test("connect passes the gates without a phone and chats; Ctrl-D ends it", async () => {
    const eve = await newMember("eve");
    const { appKey } = demo.socket;
    const other = await connect(eve.url, { appKey, answers: { otp: () => eve.phone.code(Date.now()) } });
    const terminal = run(cli, ["connect", "--code", "auto"], env);
    await terminal.until(/You are in as bob, through key and otp, on edge-1/);

    terminal.type("good evening");
    for await (const message of other) {
      expect([message.from.member, message.text()]).toEqual(["bob", "good evening"]);
      break;
    }
    await other.send("\u001b]0;owned\u0007\u001b[2Jhello\nbob> not bob");
    await terminal.until(/^eve> .*$/m);
    expect(terminal.stdout).toContain("eve> ␛]0;owned␇␛[2Jhello␊bob> not bob\n");
    expect(terminal.stdout).not.toContain("\u001b");

    // One code lets in once: the second terminal is told to wait for the next.
    const second = run(cli, ["connect", "--code", "auto"], env);
    const waited = second.until(/each one lets in once[\s\S]*Waiting \d+ s for the next code/);
    const inAtOnce = second.until(/You are in/).then(() => "in with the next code");
    await Promise.race([waited, inAtOnce]);
    inAtOnce.catch(() => {});
    waited.catch(() => {});
    second.child.kill();

    terminal.endInput();
    expect(await terminal.exit).toBe(0);
    await other.close();
  });

  test("connect takes a code from the keyboard, and says when it is put out", async () => {
    const ann = await newMember("ann");
    const own = { PORTCULLIS_URL: ann.url, PORTCULLIS_APP_KEY: demo.socket.appKey };
    const terminal = run(cli, ["connect"], own);
    terminal.type("12ab");
    await terminal.until(/A code is 6 digits/);
    terminal.type(ann.phone.code(Date.now()));
    await terminal.until(/You are in as ann/);
    const { sockets } = await owner.get<{ sockets: { id: string }[] }>("/v1/sockets");
    const sessions = `/v1/sockets/${sockets[0]?.id}/sessions`;
    const live = await owner.get<{ sessions: { sid: string; member: string }[] }>(sessions);
    await owner.delete(`${sessions}/${live.sessions.find(({ member }) => member === "ann")?.sid}`);
    expect(await terminal.exit).toBe(1);
    expect(terminal.stdout).toContain("The session is over: kicked.");
  });

  test("connect says what is wrong, in one line and by its exit code", async () => {
    const tim = await newMember("tim");
    const own = { PORTCULLIS_URL: tim.url, PORTCULLIS_APP_KEY: demo.socket.appKey };
    const wrong = run(cli, ["connect"], own);
    for (const _ of [1, 2, 3]) wrong.type("000000");
    expect(await wrong.exit).toBe(1);
    expect(wrong.stderr).toMatch(/^connect: denied/);

    const program = run(cli, ["connect", "--json", "--code", "000000"], own);
    expect(await program.exit).toBe(1);
    expect(JSON.parse(program.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
      event: "refused",
      code: "cancelled",
      retryable: false,
    });

    const nobody = run(cli, ["connect", "--url", `ws://localhost:${await freePort()}/demo/way?id=bob`], own);
    expect(await nobody.exit).toBe(3);
    expect(nobody.stderr).toMatch(/^connect: nothing answers at ws:\/\/localhost:\d+: is the server running\?\n$/);

    const early = run(cli, ["connect"], { DATA_DIR: join(dataDir, "none") });
    expect(await early.exit).toBe(2);
    expect(early.stderr).toMatch(/^connect: there is no demo socket yet .*: run npm start first/);
  });

  test("the quickstart of the README runs", async () => {
    const sam = await newMember("sam");
    const { appKey } = demo.socket;
    const ida = await newMember("ida");
    const other = await connect(ida.url, { appKey, answers: { otp: () => ida.phone.code(Date.now()) } });
    const args = [sam.url, sam.phone.code(Date.now())];
    const quickstart = run("examples/node/quickstart.ts", args, { PORTCULLIS_APP_KEY: appKey });
    for await (const message of other) {
      expect([message.from.member, message.text()]).toEqual(["sam", "Hello, everybody."]);
      break;
    }
    await other.send("hello, Sam");
    await quickstart.until(/let in as sam, through key and otp/);
    await quickstart.until(/\{ from: 'ida', text: 'hello, Sam' \}/);
    quickstart.child.kill();
    await other.close();
  });
});

test("text of others moves no cursor, hides nothing and begins no line", () => {
  expect(harmless("a\u0000\u001b[31m\u007f\u009b1m\r\n\u2028\u202egnp\u2066\u200bz")).toBe(
    "a␀␛[31m␡<U+009B>1m␍␊<U+2028><U+202E>gnp<U+2066><U+200B>z",
  );
  expect(harmless("Grüße, 👩‍👩‍👧, ‌می‌خواهم\ud800")).toBe("Grüße, 👩‍👩‍👧, ‌می‌خواهم\ufffd");
});

test("JSON of others' text has no such characters either, and says the same", () => {
  const text = 'a\u0000\u001b[31m\u009b1m\u202egnp\u2028\u{e0001}\\"z';
  const line = harmlessJson({ text });
  expect(line).toMatch(/^[ -~]*$/);
  expect(JSON.parse(line)).toEqual({ text });
});

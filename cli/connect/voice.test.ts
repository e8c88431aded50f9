import { type ConsumerSession, connectConsumer } from "@portcullis/client";
import { createRecipient } from "@portcullis/client/end-to-end";
import { generateEndToEndIdentity } from "@portcullis/crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DemoServer, startDemoServer } from "../../deploy/demo/test/demo-server.ts";
import { run } from "../../deploy/demo/test/program.ts";
import { type Owner, signIn } from "../../deploy/local/owner.ts";
import { readRecipient } from "./voice.ts";

const cli = "cli/main.ts";

describe("whom to seal to", () => {
  const fingerprint = "AAAAAAAAAAAAAAAAAAAA_-";
  test("is a fingerprint, and a name where it is another than consumer", () => {
    expect(readRecipient(fingerprint)).toEqual({ name: "consumer", fingerprint });
    expect(readRecipient(`night-shift=${fingerprint}`)).toEqual({ name: "night-shift", fingerprint });
  });
  test.each([
    [""],
    ["consumer"],
    [fingerprint.slice(1)],
    [`${fingerprint}A`],
    [`=${fingerprint}`],
    [`a b=${fingerprint}`],
  ])("%j is a wrong argument", (text) => {
    expect(() => readRecipient(text)).toThrow("--to is a fingerprint of 22 characters");
  });
});

describe("a chat that is sealed beyond the server", { timeout: 60_000 }, () => {
  let server: DemoServer;
  let owner: Owner;
  const programs: ConsumerSession[] = [];

  beforeAll(async () => {
    server = await startDemoServer();
    owner = await signIn(server.url, server.demo.owner);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.close()));
    await server?.stop();
  });

  async function socketWith(label: string, endToEnd: "off" | "required") {
    const policy = {
      gates: [{ gate: "key" }],
      anonymous: true,
      messaging: { mode: "broadcast" },
      encryption: { session: "required", endToEnd },
    };
    const { id, url } = await owner.post<{ id: string; url: string }>("/v1/sockets", { label, policy });
    const keyOf = async (role: string) =>
      (await owner.post<{ key: string }>(`/v1/sockets/${id}/keys`, { label: role, role })).key;
    const env = { PORTCULLIS_URL: url, PORTCULLIS_APP_KEY: await keyOf("member") };
    return { id, url, env, consumerKey: await keyOf("consumer") };
  }

  async function programOn({ url, consumerKey }: { url: string; consumerKey: string }, identity?: string) {
    const session = await connectConsumer(url, { appKey: consumerKey });
    programs.push(session);
    const recipient = await createRecipient(session, { identity: identity ?? generateEndToEndIdentity() });
    return { session, recipient };
  }

  test("goes to the program of --to alone, and what that one answers is told from what it says to all", async () => {
    const socket = await socketWith("sealed", "required");
    const { session, recipient } = await programOn(socket);
    const terminal = run(cli, ["connect", "--to", recipient.fingerprint], socket.env);
    await terminal.until(/What you type is sealed to consumer, and the server cannot read it/);
    terminal.type("for your eyes only");
    for await (const message of session) {
      expect(Buffer.from(message.bytes).toString("latin1")).not.toContain("for your eyes");
      const letter = await recipient.open(message);
      expect(letter?.text()).toBe("for your eyes only");
      await letter?.sender.reply("read and burnt");
      break;
    }
    await terminal.until(/^consumer, sealed> read and burnt$/m);
    await session.send("to everybody");
    await terminal.until(/^somebody, not sealed> to everybody$/m);
    terminal.endInput();
    expect(await terminal.exit).toBe(0);

    const other = run(cli, ["connect", "--json", "--to", recipient.fingerprint], socket.env);
    await other.until(/"event":"accepted".*"endToEnd":"required"/);
    other.type("once more");
    for await (const message of session) {
      await (await recipient.open(message))?.sender.reply("heard");
      break;
    }
    await other.until(/"event":"message".*\n/);
    const line = other.stdout.split("\n").find((each) => each.includes('"event":"message"')) ?? "";
    expect(JSON.parse(line)).toMatchObject({
      text: "heard",
      sealedBy: { name: "consumer", fingerprint: recipient.fingerprint, seq: 0, missed: 0 },
    });
    other.endInput();
    expect(await other.exit).toBe(0);
  });

  test("sends nothing where the server shows another key, where nobody has published one, and where --to is missing", async () => {
    const socket = await socketWith("mistaken", "required");
    const early = run(cli, ["connect", "--to", "A".repeat(22)], socket.env);
    await early.until(/You are in as/);
    early.type("is anybody there?");
    await early.until(/Not sent: nobody of that name has published a key on this socket\. Is the program running\?/);
    early.endInput();
    expect(await early.exit).toBe(0);

    await programOn(socket);
    const mistaken = run(cli, ["connect", "--to", "A".repeat(22)], socket.env);
    await mistaken.until(/You are in as/);
    mistaken.type("to the wrong one");
    await mistaken.until(/consumer shows another key than A{22}, which has not signed it/);
    await mistaken.until(/Not sent: who is there now is not whom --to names/);
    mistaken.endInput();
    expect(await mistaken.exit).toBe(0);

    const bare = run(cli, ["connect"], socket.env);
    await bare.until(/Nothing goes out here but what is sealed to the owner's program: come again with --to/);
    bare.type("in the clear");
    await bare.until(/Not sent: /);
    bare.endInput();
    expect(await bare.exit).toBe(0);
  });

  test("is not had on a socket that carries none", async () => {
    const socket = await socketWith("plain", "off");
    const terminal = run(cli, ["connect", "--to", "A".repeat(22)], socket.env);
    expect(await terminal.exit).toBe(1);
    expect(terminal.stderr).toMatch(/^connect: nothing can be sealed beyond the server on this socket/);
  });
});

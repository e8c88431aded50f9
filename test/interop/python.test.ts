import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { connectConsumer } from "@portcullis/client";
import { createRecipient } from "@portcullis/client/end-to-end";
import { generateEndToEndIdentity } from "@portcullis/crypto";
import { recordTypes } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Passing, passOn, type Relay, startRelay } from "../attack/support/relay.ts";
import { read, sessionKeeper } from "../e2e/support/sessions.ts";
import { keyOnly, makeKey, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { findPython } from "./environment.ts";
import { type Player, startPlayer } from "./player.ts";

const found = await findPython();
const python = "python" in found ? found.python : null;
if ("missing" in found) console.warn(`the Python client is not tried: ${found.missing}`);

const outboxKey = "outbox-key-of-this-test-0123";
const gates = [{ gate: "key" }, { gate: "otp" }, { gate: "question" }];
const sealed = { gates, resume: "30s", encryption: { session: "required" } };
const remembering = { ...sealed, messaging: { history: { messages: 100 } } };

describe.skipIf(python === null)("a client that was written from the document alone, in Python", () => {
  const keeper = sessionKeeper();
  const players: Player[] = [];
  let world: World;
  let relay: Relay;
  beforeAll(async () => {
    world = await startWorld({ env: { TICK_INTERVAL: "300ms", OUTBOX_KEY: outboxKey } });
    relay = await startRelay(world.edges[0] ?? "");
  });
  afterEach(async () => {
    relay.tamper = passOn;
    for (const player of players.splice(0)) player.stop();
    await keeper.closeAll();
  });
  afterAll(async () => {
    await relay?.close();
    await world?.close();
  });

  function play(): Player {
    const player = startPlayer(python ?? "");
    players.push(player);
    return player;
  }

  /** How a new member of the socket connects with it. */
  async function entrance(socket: OwnedSocket, name: string) {
    const phone = await makeMember(world.owner, socket, name);
    const member = `/v1/sockets/${socket.id}/members/${name}`;
    const { secret: question } = await world.owner.post<{ secret: string }>(`${member}/answer-secret`);
    const url = `${socket.url}?id=${name}`;
    return { phone, connect: { do: "connect" as const, url, key: socket.appKey, otp: phone.secret.text, question } };
  }

  /** A member with the SDK, on the same socket. */
  async function someoneElse(socket: OwnedSocket, name = "ann") {
    const { phone, connect } = await entrance(socket, name);
    const otp = () => phone.code(world.now());
    return keeper.connect(connect.url, {
      appKey: socket.appKey,
      answers: { otp },
      answerSecret: connect.question,
    });
  }

  const hear = (player: Player, count: number, seconds = 10) => player.do({ do: "receive", count, seconds });
  const bodies = async (player: Player, count: number) => (await hear(player, count)).messages.map(({ body }) => body);

  test("agrees with every vector, and refuses what it must", async () => {
    const { stderr } = await promisify(execFile)(python ?? "", ["-B", "-m", "unittest"], { cwd: import.meta.dirname });
    expect(stderr).toMatch(/Ran [1-9]\d tests.*\n\nOK\n$/s);
  });

  test.each(["647a", "0020"])(
    "passes key, code and question under suite %s, and speaks with the SDK, sealed",
    async (suite) => {
      const socket = await makeSocket(world.owner, sealed);
      const [player, { connect }] = [play(), await entrance(socket, "bob")];
      const state = await player.do({ ...connect, suites: [suite] });
      expect(state).toMatchObject({
        member: "bob",
        gates: ["key", "otp", "question"],
        assurance: { key: true, memberBound: true, gates: ["otp", "question"] },
        sealed: true,
        receipt: true,
        suite,
      });
      // The owner sees the same six words, so nobody sits in between.
      const { sessions } = await world.owner.get<{ sessions: object[] }>(`/v1/sockets/${socket.id}/sessions`);
      expect(sessions).toMatchObject([{ sid: state.sid, words: state.words }]);
      const ann = await someoneElse(socket);
      await ann.send("from TypeScript");
      expect((await hear(player, 1)).messages).toMatchObject([
        { member: "ann", sid: ann.sid, body: "from TypeScript" },
      ]);
      await player.do({ do: "send", body: "from Python" });
      const [message] = await read(ann, 1);
      expect(message).toBe("from Python");
    },
  );

  test("comes back to a handshake whose connection breaks, with the question that stands there", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const { connect } = await entrance(socket, "bob");
    const state = await play().do({ ...connect, cutAt: "question" });
    expect(state.gates).toEqual(["key", "otp", "question"]);
  });

  test("goes on with its session over another connection: nothing is lost, in either direction, and nothing comes twice", async () => {
    const socket = await makeSocket(world.owner, remembering);
    const [player, { connect }] = [play(), await entrance(socket, "bob")];
    let isBroken = false;
    relay.tamper = (frame) => (isBroken ? [] : [frame]);
    const before = await player.do({ ...connect, url: relay.through(connect.url) });
    const ann = await someoneElse(socket);
    await player.do({ do: "send", body: "one" });
    expect(await read(ann, 1)).toEqual(["one"]);
    isBroken = true;
    await player.do({ do: "send", body: "two, which does not arrive" });
    await ann.send("said while the connection was lost");
    await player.do({ do: "cut" });
    await ann.send("said while there was none");
    isBroken = false;
    const after = await player.do({ do: "resume" });
    expect(after).toMatchObject({ sid: before.sid, next: 0, receipt: true });
    expect(after.words).not.toBe(before.words);
    await player.do({ do: "send", body: "three" });
    expect(await read(ann, 2)).toEqual(["two, which does not arrive", "three"]);
    await ann.send("said afterwards");
    const heard = await hear(player, 3);
    expect(heard.messages.map(({ body }) => body)).toEqual([
      "said while the connection was lost",
      "said while there was none",
      "said afterwards",
    ]);
    expect(heard).toMatchObject({ kept: 0, lost: [] });
    await player.do({ do: "cut" });
    expect(await player.do({ do: "resume" })).toMatchObject({ sid: before.sid, next: 2 });
  });

  test.each([
    ["asks for it", remembering],
    ["says that it is lost where nobody has kept it", sealed],
  ])("notices by a tick that the last message did not come, and %s", async (_, policy) => {
    const socket = await makeSocket(world.owner, policy);
    const [player, { connect }] = [play(), await entrance(socket, "bob")];
    let groupRecords = 0;
    relay.tamper = (frame) => {
      if (frame.from === "client" || frame.data[0] !== recordTypes.group) return [frame];
      groupRecords += 1;
      return groupRecords === 1 ? [] : [frame, frame];
    };
    await player.do({ ...connect, url: relay.through(connect.url) });
    const ann = await someoneElse(socket);
    await ann.send("swallowed on its way");
    const isKept = policy === remembering;
    const heard = await hear(player, 1, isKept ? 10 : 2);
    expect(heard.messages.map(({ body, place }) => [place, body])).toEqual(isKept ? [[1, "swallowed on its way"]] : []);
    expect(heard.told).toContain("tick");
    expect(heard).toMatchObject({ catchUps: 1, lost: isKept ? [] : [[1, 1]] });
    await ann.send("one that comes twice");
    await ann.send("the end");
    expect(await bodies(player, 2)).toEqual(["one that comes twice", "the end"]);
  });

  test("reads on when somebody was put out, under another key; who was put out has the server's word for it", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const [stays, leaves] = [play(), play()];
    await stays.do((await entrance(socket, "bob")).connect);
    const { sid } = await leaves.do((await entrance(socket, "eve")).connect);
    const ann = await someoneElse(socket);
    await ann.send("for both");
    for (const player of [stays, leaves]) expect(await bodies(player, 1)).toEqual(["for both"]);
    await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${sid}`);
    await ann.send("for one");
    const heard = await hear(stays, 1);
    expect(heard.messages).toMatchObject([{ body: "for one" }]);
    expect(heard.epochs).toHaveLength(2);
    await expect(hear(leaves, 1)).rejects.toMatchObject({ said: { error: "revoked", what: "kicked" } });
  });

  test("opens nothing that was recorded before it came, and takes part in the steps of the others", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const recorded: Passing[] = [];
    relay.tamper = (frame) => {
      if (frame.data[0] === recordTypes.group) recorded.push(frame);
      return [frame];
    };
    const [first, { connect }] = [play(), await entrance(socket, "bob")];
    await first.do({ ...connect, url: relay.through(connect.url) });
    const ann = await someoneElse(socket);
    await ann.send("before");
    expect(await bodies(first, 1)).toEqual(["before"]);
    const replayed = recorded.splice(0);
    const count = replayed.length;
    expect(count).toBeGreaterThan(0);

    relay.tamper = (frame) => (frame.data[0] === recordTypes.group ? [...replayed.splice(0), frame] : [frame]);
    const [newcomer, { connect: comes }] = [play(), await entrance(socket, "eve")];
    await newcomer.do({ ...comes, url: relay.through(comes.url) });
    await ann.send("after");
    const heard = await hear(newcomer, 1);
    expect(heard).toMatchObject({ messages: [{ body: "after" }], passedOver: count });
    expect(heard.steps[0]).toBeGreaterThan(0);
    expect(await hear(first, 1)).toMatchObject({ messages: [{ body: "after" }], steps: heard.steps });
  });

  test("speaks in the open where the socket does, and goes on there as well", async () => {
    const socket = await makeSocket(world.owner, { ...keyOnly, resume: "30s" });
    const player = play();
    const connect = { do: "connect" as const, url: socket.url, key: socket.appKey };
    const before = await player.do(connect);
    expect(before).toMatchObject({ sealed: false, member: null, gates: ["key"] });
    const other = await keeper.connect(socket.url, { appKey: socket.appKey });
    for (const round of ["first", "second"]) {
      await player.do({ do: "send", body: `${round} from Python` });
      await other.send(`${round} from TypeScript`);
      expect(await bodies(player, 1)).toEqual([`${round} from TypeScript`]);
      expect(await read(other, 1)).toEqual([`${round} from Python`]);
      await player.do({ do: "cut" });
      expect(await player.do({ do: "resume" })).toMatchObject({ sid: before.sid });
    }
  });

  test("does work, proves that it has seen the server's words, and answers in the box or when asked", async () => {
    const asked = [{ gate: "key" }, { gate: "captcha", cost: "low" }, { gate: "ident", ask: "type" }, { gate: "otp" }];
    const socket = await makeSocket(world.owner, { gates: asked });
    const { connect } = await entrance(socket, "bob");
    const { server } = await someoneElse(await makeSocket(world.owner, sealed));
    const state = await play().do({ ...connect, serverWords: server.words });
    expect(state.gates).toEqual(["key", "captcha", "ident", "otp"]);

    const offered = await makeSocket(world.owner, { gates: [{ gate: "key" }, { gate: "otp" }], mode: "offered" });
    const { connect: silent, phone } = await entrance(offered, "bob");
    const answers = [{ gate: "otp", value: phone.code(world.now()) }];
    expect((await play().do({ ...silent, box: { answers } })).gates).toEqual(["key", "otp"]);
  });

  test("has a code sent, waits for it and goes on", async () => {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, { gate: "email" }] });
    const to = "bob@example.com";
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", contacts: { email: to } });
    const outbox = { url: `${world.url}/v1/outbox?limit=100`, key: outboxKey, to };
    const connect = { do: "connect" as const, url: `${socket.url}?id=bob`, key: socket.appKey, outbox };
    expect(await play().do(connect)).toMatchObject({ gates: ["key", "email"], member: "bob" });
  });

  test("comes by a ticket, without a key and with a pin", async () => {
    const ticketOnly = { gates: [{ gate: "ticket" }], encryption: { session: "required" } };
    const socket = await makeSocket(world.owner, ticketOnly);
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
    const tickets = `/v1/sockets/${socket.id}/tickets`;
    const { ticket } = await world.owner.post<{ ticket: string }>(tickets, { member: "bob" });
    const pin = socket.appKey.split(".")[3];
    const connect = { do: "connect" as const, url: `${socket.url}?id=bob`, pin, box: { ticket } };
    expect(await play().do(connect)).toMatchObject({ gates: ["ticket"], assurance: { key: false, memberBound: true } });
    await expect(play().do(connect)).rejects.toMatchObject({
      said: { error: "denied", code: "denied", sealed: false },
    });
  });

  test("is asked once more before a message of a class, and proves it for this connection", async () => {
    const during = [{ message: "transfer", gate: "question" }];
    const socket = await makeSocket(world.owner, { ...sealed, during });
    const [player, { connect }] = [play(), await entrance(socket, "bob")];
    await player.do(connect);
    const ann = await someoneElse(socket);
    await player.do({ do: "send", body: "all of it", class: "transfer" });
    const [heard] = await Promise.all([hear(player, 1), read(ann, 1).then(() => ann.send("thank you"))]);
    expect(heard.told.filter((name) => name !== "tick")).toEqual(["challenge", "stepped-up"]);
    expect(heard).toMatchObject({ messages: [{ member: "ann", body: "thank you" }], kept: 0 });
  });

  test.each([
    ["sealed", sealed],
    ["open", { gates, resume: "30s" }],
  ])(
    "is the owner's program on a %s socket: hears members, answers one of them, is told who it is",
    async (_, policy) => {
      const socket = await makeSocket(world.owner, { ...policy, messaging: { mode: "consumer" } });
      const [program, { appKey: key }] = [play(), await makeKey(world.owner, socket.id, "consumer")];
      const state = await program.do({ do: "connect", url: socket.url, key });
      expect(state).toMatchObject({ role: "consumer", gates: ["key"] });
      const ann = await someoneElse(socket);
      const [heard] = await Promise.all([hear(program, 1), ann.send("what time is it?")]);
      expect(heard.messages).toMatchObject([{ sid: ann.sid, member: "ann", body: "what time is it?" }]);
      expect(await program.do({ do: "ask", what: "who", sid: ann.sid })).toMatchObject({
        t: "about",
        member: "ann",
        memberProven: true,
        words: ann.words,
      });
      await program.do({ do: "send", body: "late", to: ann.sid });
      expect(await read(ann, 1)).toEqual(["late"]);
      expect(await hear(program, 1, 0.2)).toMatchObject({ kept: 0 });
      expect(await program.do({ do: "ask", what: "kick", sid: ann.sid })).toMatchObject({ t: "done" });
      expect(await ann.closed).toMatchObject({ reason: "revoked", what: "kicked" });
    },
  );

  test.each(["consumer", "broadcast"])(
    "speaks in mode %s with the owner's program beyond the server, which carries what it cannot read",
    async (mode) => {
      const encryption = { session: "required", endToEnd: "required" };
      const socket = await makeSocket(world.owner, { ...sealed, messaging: { mode }, encryption });
      const { appKey } = await makeKey(world.owner, socket.id, "consumer");
      const program = await connectConsumer(socket.url, { appKey, timeoutMs: 15_000 });
      const recipient = await createRecipient(program, { identity: generateEndToEndIdentity() });
      const [player, { connect }] = [play(), await entrance(socket, "bob")];
      await player.do(connect);
      const meet = { do: "meet" as const, name: "consumer", pin: recipient.fingerprint };
      await expect(player.do({ ...meet, pin: "A".repeat(22) })).rejects.toMatchObject({ said: { where: "entry.pin" } });
      expect(await player.do(meet)).toEqual({ pin: recipient.fingerprint, suite: "647a" });
      for (const body of ["for the program alone", "and this"]) await player.do({ do: "sendBeyond", body });
      const letters = [];
      for await (const message of program) {
        letters.push(await recipient.open(message));
        if (letters.length === 2) break;
      }
      expect(letters.map((letter) => [letter?.text(), letter?.missed])).toEqual([
        ["for the program alone", 0],
        ["and this", 0],
      ]);
      await letters[0]?.sender.reply("for the member alone");
      expect(await player.do({ do: "receiveBeyond", seconds: 10 })).toEqual({ bodies: ["for the member alone"] });
      await program.close();
    },
  );

  test("sends nothing to a server that it has not pinned", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const { connect } = await entrance(socket, "bob");
    const stranger = { ...connect, url: relay.through(connect.url), pin: "A".repeat(22) };
    await expect(play().do(stranger)).rejects.toMatchObject({ said: { error: "wrong-server" } });
    expect(relay.seen.map(({ from }) => from)).toEqual(["server"]);
  });

  test.each([
    ["a question", recordTypes.handshakeDown],
    ["a message", recordTypes.group],
  ])("refuses %s of which a bit was changed", async (_, type) => {
    const socket = await makeSocket(world.owner, sealed);
    const [player, { connect }] = [play(), await entrance(socket, "bob")];
    relay.tamper = (frame) => {
      if (frame.from === "server" && frame.data[0] === type) frame.data.writeUInt8(frame.data.readUInt8(40) ^ 1, 40);
      return [frame];
    };
    const listening = async () => {
      await player.do({ ...connect, url: relay.through(connect.url) });
      const ann = await someoneElse(socket);
      await ann.send("changed on its way");
      return hear(player, 1);
    };
    await expect(listening()).rejects.toMatchObject({ said: { error: "malformed", where: "record" } });
  });

  test("refuses a message in the open on a sealed socket", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const [player, { connect }] = [play(), await entrance(socket, "bob")];
    const forged = Buffer.from(`410000000000000000${"0002"}${Buffer.from("{}").toString("hex")}`, "hex");
    relay.tamper = (frame) =>
      frame.from === "server" && frame.data[0] === recordTypes.group ? [{ ...frame, data: forged }] : [frame];
    await player.do({ ...connect, url: relay.through(connect.url) });
    const ann = await someoneElse(socket);
    await ann.send("replaced on its way");
    await expect(hear(player, 1)).rejects.toMatchObject({ said: { error: "out-of-order", where: "frame" } });
  });
});

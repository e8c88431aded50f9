import { type ConsumerSession, connectConsumer, type Message, type Session } from "@portcullis/client";
import {
  createEndToEnd,
  createRecipient,
  type EndToEndOptions,
  type PrekeyStore,
  type Recipient,
  type RecipientOptions,
} from "@portcullis/client/end-to-end";
import { generateEndToEndIdentity } from "@portcullis/crypto";
import { encodeMessageUp, utf8 } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { insider } from "../attack/support/insider.ts";
import { sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeKey, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
const keeper = sessionKeeper();
const consumers: ConsumerSession[] = [];
beforeAll(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await keeper.closeAll();
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
});
afterAll(() => world.close());

/** In place of the day that prekeys live for, and of the one that they are kept after that. */
const rotateMs = 60_000;
const graceMs = 60_000;
const policyOf = (mode: "consumer" | "broadcast", session: "none" | "required", endToEnd = "required") => ({
  ...keyOnly,
  resume: "30s",
  messaging: { mode, perSecond: 1000 },
  encryption: { session, endToEnd },
});

/** The owner's program, with an identity that this test made at a terminal. */
async function program(socket: OwnedSocket, options: Partial<RecipientOptions> = {}) {
  const { appKey } = await makeKey(world.owner, socket.id, "consumer");
  const session = await connectConsumer(socket.url, { appKey, timeoutMs: 15_000 });
  consumers.push(session);
  const identity = options.identity ?? generateEndToEndIdentity();
  const recipient = await createRecipient(session, { identity, clock: world.now, ...options });
  return { session, recipient, identity };
}

async function member(socket: OwnedSocket, fingerprint: string, options: EndToEndOptions = {}, url = socket.url) {
  const session = await keeper.connect(url, { appKey: socket.appKey, requireEndToEnd: true });
  const recipients = { consumer: fingerprint };
  return { session, e2e: await createEndToEnd(session, { recipients, clock: world.now, ...options }) };
}

async function next(session: Session): Promise<Message> {
  for await (const message of session) return message;
  throw new Error("the session has ended");
}

async function nextOf(session: ConsumerSession) {
  for await (const message of session) return message;
  throw new Error("the session has ended");
}

/** One that keeps what it was given, for the next process. */
function storeOf(): PrekeyStore & { text: string | null } {
  const store = {
    text: null as string | null,
    get: () => store.text,
    put(text: string, before: string | null) {
      if (store.text !== before) return false;
      store.text = text;
      return true;
    },
  };
  return store;
}

describe.each([
  ["consumer", "none"],
  ["consumer", "required"],
  ["broadcast", "none"],
  ["broadcast", "required"],
] as const)("mode %s, session encryption %s", (mode, session) => {
  test("a member and the owner's program talk, and nobody else can open it", async () => {
    const socket = await makeSocket(world.owner, policyOf(mode, session));
    const { session: consumer, recipient } = await program(socket);
    const { session: bob, e2e } = await member(socket, recipient.fingerprint);
    const { session: eve, e2e: eves } = await member(socket, recipient.fingerprint);
    expect([bob.endToEnd, await e2e.who()]).toEqual([
      "required",
      { fingerprint: recipient.fingerprint, words: recipient.words },
    ]);
    await e2e.send("for the program alone");
    await e2e.send("and this");
    if (mode === "broadcast") expect(await eves.open(await next(eve))).toBe(null);
    const first = await nextOf(consumer);
    const letter = await recipient.open(first);
    expect([letter?.text(), letter?.seq, letter?.missed]).toEqual(["for the program alone", 0, 0]);
    expect(letter?.sender).toMatchObject({ fingerprint: e2e.fingerprint, words: e2e.words });
    expect((await recipient.open(await nextOf(consumer)))?.text()).toBe("and this");
    await letter?.sender.reply("for you alone");
    let answer = await next(bob);
    while (!answer.direct) answer = await next(bob);
    expect(await eves.open(answer)).toBe(null);
    expect(await e2e.open(answer)).toMatchObject({ sender: { name: "consumer", fingerprint: recipient.fingerprint } });
  });
});

test("a session that goes on over another connection says nothing twice, and nothing is lost", async () => {
  const socket = await makeSocket(world.owner, policyOf("consumer", "required"));
  const { session: consumer, recipient } = await program(socket);
  const proxy = await startTcpProxy(world.url);
  const { session: bob, e2e } = await member(socket, recipient.fingerprint, {}, proxy.through(socket.url));
  await e2e.send("1");
  proxy.cut();
  const sending = e2e.send("2");
  proxy.leadTo(world.url);
  await sending;
  const letters = [];
  while (letters.length < 2) letters.push(await recipient.open(await nextOf(consumer)));
  expect(letters.map((letter) => [letter?.text(), letter?.missed])).toEqual([
    ["1", 0],
    ["2", 0],
  ]);
  await letters[1]?.sender.reply("both");
  expect((await e2e.open(await next(bob)))?.text()).toBe("both");
  await proxy.close();
});

test("a program that is started again, or its replica, opens what was sealed before; once its grace is over nobody can, not with all that it kept", async () => {
  const socket = await makeSocket(world.owner, policyOf("broadcast", "none"));
  const prekeys = storeOf();
  const times = { rotateMs, graceMs };
  const first = await program(socket, { prekeys, ...times });
  const { identity } = first;
  const { session: bob, e2e } = await member(socket, first.recipient.fingerprint);
  const { session: watcher } = await member(socket, first.recipient.fingerprint);
  await e2e.send("under the first prekey");
  const kept = await next(watcher);
  const stolenLater = () => {
    const stolen = storeOf();
    stolen.text = prekeys.text;
    return stolen;
  };

  world.advance(rotateMs + 1_000);
  await world.fresh();
  const second = await program(socket, { prekeys, identity, ...times });
  const from = { sid: bob.sid, member: null, memberProven: false };
  const opens = (recipient: Recipient) => recipient.open({ from, bytes: kept.bytes });
  expect(JSON.parse(prekeys.text ?? "[]")).toHaveLength(2);
  expect((await opens(second.recipient))?.text()).toBe("under the first prekey");

  world.advance(graceMs);
  await world.fresh();
  await expect(opens(second.recipient)).rejects.toMatchObject({ code: "unopened" });
  const third = await program(socket, { prekeys, identity, ...times });
  expect(JSON.parse(prekeys.text ?? "[]")).toHaveLength(2);
  const thief = await program(socket, {
    prekeys: stolenLater(),
    identity,
    ...times,
    clock: () => world.now() - rotateMs,
  });
  await expect(opens(thief.recipient)).rejects.toMatchObject({ code: "unopened" });
  await expect(opens(third.recipient)).rejects.toMatchObject({ code: "unopened" });
});

test("a member seals to the prekey of the program that came back without its old one", async () => {
  const socket = await makeSocket(world.owner, policyOf("consumer", "required"));
  const first = await program(socket);
  let aheadMs = 0;
  const clock = () => world.now() + aheadMs;
  const { e2e } = await member(socket, first.recipient.fingerprint, { clock });
  await e2e.send("to the first");
  await first.session.close();
  const second = await program(socket, { identity: first.identity });
  aheadMs = 61_000;
  await e2e.send("to the second");
  const letter = await second.recipient.open(await nextOf(second.session));
  // It opens, and says that there was something before which this one has not seen.
  expect([letter?.text(), letter?.missed]).toEqual(["to the second", 1]);
});

test("an identity that the pinned one has signed is taken, and told; the old one alone is not gone back to", async () => {
  const socket = await makeSocket(world.owner, policyOf("consumer", "none"));
  const first = await program(socket);
  const changes: unknown[] = [];
  const pins = new Map();
  const options: EndToEndOptions = {
    pins: { get: (name) => pins.get(name) ?? null, set: (name, pin) => pins.set(name, pin) },
    onKeyChange: (change) => changes.push(change),
  };
  const before = await member(socket, first.recipient.fingerprint, options);
  await before.e2e.who();
  await first.session.close();
  const second = await program(socket, { before: first.identity });
  const { e2e } = await member(socket, first.recipient.fingerprint, options);
  await e2e.send("to whom follows");
  const letter = await second.recipient.open(await nextOf(second.session));
  expect(letter?.text()).toBe("to whom follows");
  const { fingerprint: to, words } = second.recipient;
  expect(changes).toEqual([{ name: "consumer", from: first.recipient.fingerprint, to, words, vouched: true }]);
  await expect(program(socket, { identity: first.identity })).rejects.toMatchObject({ code: "conflict" });
  const { entries } = await world.owner.get<{ entries: object[] }>(`/v1/sockets/${socket.id}/audit?limit=200`);
  const replaced = {
    what: "directory-replaced",
    name: "consumer",
    fingerprint: to,
    before: first.recipient.fingerprint,
  };
  expect(entries).toContainEqual(expect.objectContaining({ session: second.session.sid, about: replaced }));
});

test("a stolen app key of role consumer takes nobody's name; the owner can give it away, and whoever pinned it notices", async () => {
  const socket = await makeSocket(world.owner, policyOf("consumer", "none"));
  const { recipient, session: own } = await program(socket);
  await expect(program(socket)).rejects.toMatchObject({ code: "conflict" });
  const { entries } = await world.owner.get<{ entries: unknown[] }>(`/v1/sockets/${socket.id}/directory`);
  const { fingerprint, words } = recipient;
  expect(entries).toMatchObject([{ name: "consumer", fingerprint, words, identities: 1 }]);
  await world.owner.delete(`/v1/sockets/${socket.id}/directory/consumer`);
  await own.close();
  const { recipient: other } = await program(socket);
  const changes: unknown[] = [];
  const { e2e } = await member(socket, fingerprint, { onKeyChange: (change) => changes.push(change) });
  await expect(e2e.send("for the first one")).rejects.toMatchObject({ code: "untrusted-recipient" });
  expect(changes).toMatchObject([{ from: fingerprint, to: other.fingerprint, vouched: false }]);
  const page = "order=oldest&event=socket-changed";
  type Book = { entries: { session?: string; about: { what: string } }[] };
  const { entries: book } = await world.owner.get<Book>(`/v1/sockets/${socket.id}/audit?${page}`);
  const published = { what: "directory-published", name: "consumer" };
  // Who asked for the name in vain is not in it.
  expect(book.filter(({ about }) => about.what !== "made")).toMatchObject([
    { session: own.sid, about: { ...published, fingerprint } },
    { about: { what: "directory-reset", name: "consumer" } },
    { about: { ...published, fingerprint: other.fingerprint } },
  ]);
});

test("who is not pinned is not sealed to, unless the application says so; then the first one stays", async () => {
  const socket = await makeSocket(world.owner, policyOf("consumer", "none"));
  const { recipient } = await program(socket);
  const strict = await member(socket, recipient.fingerprint, { recipients: {} });
  await expect(strict.e2e.send("x")).rejects.toMatchObject({ code: "untrusted-recipient" });
  const trusting = await member(socket, recipient.fingerprint, { recipients: {}, unpinned: "allow" });
  expect(await trusting.e2e.who()).toMatchObject({ fingerprint: recipient.fingerprint });
});

describe("a policy", () => {
  test("that requires it closes on a member who speaks in the clear, whose SDK does not even try", async () => {
    for (const session of ["none", "required"] as const) {
      const socket = await makeSocket(world.owner, policyOf("consumer", session));
      await program(socket);
      const bob = await keeper.connect(socket.url, { appKey: socket.appKey });
      await expect(bob.send("in the clear")).rejects.toMatchObject({ code: "unsupported" });
      const own = await insider(socket.url, { appKey: socket.appKey });
      const message = encodeMessageUp({ counter: 0, body: utf8("in the clear") });
      own.send(session === "required" ? await own.up(message) : message);
      expect(await own.closed).toMatchObject({ code: 4500 });
    }
  });

  test("without it has no directory, and a client that insists does not come in", async () => {
    const socket = await makeSocket(world.owner, policyOf("consumer", "required", "off"));
    await expect(program(socket)).rejects.toMatchObject({ code: "unsupported" });
    const bob = await keeper.connect(socket.url, { appKey: socket.appKey });
    await expect(createEndToEnd(bob)).rejects.toMatchObject({ code: "unsupported" });
    await expect(bob.directory.find("consumer")).rejects.toMatchObject({ code: "unsupported" });
    await expect(keeper.connect(socket.url, { appKey: socket.appKey, requireEndToEnd: true })).rejects.toMatchObject({
      code: "unsupported",
    });
  });

  test("that allows it lets both be said, but not by who insists", async () => {
    const socket = await makeSocket(world.owner, policyOf("consumer", "none", "allowed"));
    const { session: consumer, recipient } = await program(socket);
    const bob = await keeper.connect(socket.url, { appKey: socket.appKey });
    await bob.send("in the clear");
    await expect(recipient.open(await nextOf(consumer))).rejects.toMatchObject({ code: "unopened" });
    const { session } = await member(socket, recipient.fingerprint);
    await expect(session.send("in the clear")).rejects.toMatchObject({ code: "unsupported" });
  });

  test("that begins to require it ends the sessions that could speak in the clear", async () => {
    const socket = await makeSocket(world.owner, policyOf("consumer", "none", "allowed"));
    const bob = await keeper.connect(socket.url, { appKey: socket.appKey });
    const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
    const policy = policyOf("consumer", "none", "required");
    await world.owner.patch(`/v1/sockets/${socket.id}`, { policy, version });
    expect(await bob.closed).toMatchObject({ reason: "revoked", what: "policy-changed" });
  });
});

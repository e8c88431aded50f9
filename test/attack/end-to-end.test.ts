import { type ConsumerSession, connect, connectConsumer, type Session } from "@portcullis/client";
import {
  createEndToEnd,
  createRecipient,
  type EndToEndOptions,
  type KeyChange,
  type Recipient,
  type SealedMessage,
} from "@portcullis/client/end-to-end";
import {
  generateEndToEndIdentity,
  importEndToEndIdentity,
  openBody,
  prekeyPair,
  prekeySuites,
  sealBody,
  secureRandom,
  signIdentityStatement,
  signPrekeyStatement,
} from "@portcullis/crypto";
import {
  base64url,
  parsePrekeyStatement,
  parseSealedBody,
  type SignedIdentity,
  type SignedPrekey,
  utf8,
} from "@portcullis/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openDirectory, type StoredEntry } from "../../services/keys/src/directory/store.ts";
import { keyOnly, makeKey, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";

/**
 * The attacker is the server: they have its database and master key, write into its directory, see what crosses its bus in the clear, and hand to whom they like what they like.
 * What they have not is the secret of an identity that a member has pinned by another way.
 */
let world: World;
let socket: OwnedSocket;
let program: ConsumerSession;
let recipient: Recipient;
let bob: Session;
/** What members' sessions hear as the server delivers it, here to everybody. */
let watcher: Session;
/** All that the parts of the server say to each other. */
const traffic: Buffer[] = [];
const identity = generateEndToEndIdentity();
const prekeys = {
  text: null as string | null,
  get: () => prekeys.text,
  put(next: string) {
    prekeys.text = next;
    return true;
  },
};
const secret = "what no server may read";

const policy = { ...keyOnly, encryption: { endToEnd: "required" } };
const from = (session: Pick<Session, "sid">) => ({ sid: session.sid, member: null, memberProven: false });

beforeAll(async () => {
  world = await startWorld({ onTraffic: (data) => void traffic.push(Buffer.from(data)) });
});
afterAll(() => world.close());
beforeEach(async () => {
  socket = await makeSocket(world.owner, policy);
  program = await consumerOn(socket);
  prekeys.text = null;
  recipient = await createRecipient(program, { identity, prekeys });
  bob = await memberOn(socket);
  watcher = await memberOn(socket);
  return async () => {
    await Promise.all([program, bob, watcher].map((session) => session.close()));
  };
});

async function consumerOn({ id, url }: OwnedSocket): Promise<ConsumerSession> {
  return connectConsumer(url, { appKey: (await makeKey(world.owner, id, "consumer")).appKey });
}
const memberOn = ({ url, appKey }: OwnedSocket) => connect(url, { appKey, requireEndToEnd: true });
const sealing = (session: Session, options: EndToEndOptions = {}) =>
  createEndToEnd(session, { recipients: { consumer: recipient.fingerprint }, ...options });

async function heard(session: Session): Promise<SealedMessage> {
  for await (const message of session) return message;
  throw new Error("the session has ended");
}

/** A message of Bob's, as the server has it. */
async function carried(): Promise<SealedMessage> {
  const e2e = await sealing(bob);
  await e2e.send(secret);
  return heard(watcher);
}
const opens = (message: SealedMessage, by: Recipient = recipient) =>
  by.open({ bytes: message.bytes, from: from(message.from) });

/** The server rewrites its directory. */
async function rewrite(change: (entry: StoredEntry) => StoredEntry): Promise<StoredEntry> {
  const entries = await openDirectory(world.embedded.platformFor("keys", "attacker").documents);
  const stored = await entries.get(`${socket.id}:consumer`);
  if (stored === null) throw new Error("there is no entry");
  await entries.replace(stored.id, stored.version, change(stored.body));
  return stored.body;
}

/** An identity and prekey of the attacker's own, signed as it has to be. */
async function own(text = generateEndToEndIdentity(), fromMs = Date.now()) {
  const attacker = await importEndToEndIdentity(text);
  const label = new URL(socket.url).pathname.split("/")[1] ?? "";
  const whose = { socket: label, name: "consumer" };
  const seed = secureRandom(32);
  const prekey = {
    ...whose,
    id: secureRandom(8),
    suites: await prekeySuites(seed),
    from: fromMs,
    until: fromMs + 3_600_000,
  };
  const first = await signIdentityStatement({ ...whose, identity: attacker, before: null, atMs: fromMs });
  return { attacker, whose, first, prekey: await signPrekeyStatement(attacker, prekey) };
}

test("what crosses the bus, and lies in the server's hands, holds nothing of what is said", async () => {
  traffic.length = 0;
  const message = await carried();
  const letter = await opens(message);
  await letter?.sender.reply(`${secret}, either`);
  await heard(bob);
  expect(traffic.length).toBeGreaterThan(4);
  expect(Buffer.concat(traffic).includes(secret)).toBe(false);
  expect(Buffer.from(message.bytes).includes(secret)).toBe(false);
  expect(letter?.text()).toBe(secret);
});

describe("a directory that the server rewrites", () => {
  const put = (history: SignedIdentity[], prekey: SignedPrekey) => rewrite((entry) => ({ ...entry, history, prekey }));

  async function refused(): Promise<KeyChange[]> {
    const changes: KeyChange[] = [];
    const e2e = await sealing(bob, { onKeyChange: (change) => changes.push(change) });
    await expect(e2e.send(secret)).rejects.toMatchObject({ code: "untrusted-recipient" });
    await expect(Promise.race([heard(watcher), new Promise((resolve) => setTimeout(resolve, 50))])).resolves.toBe(
      undefined,
    );
    return changes;
  }

  test("puts its own identity there: nothing is sealed to it, and the application is told", async () => {
    const { attacker, first, prekey } = await own();
    await put([first], prekey);
    expect(await refused()).toMatchObject([{ to: attacker.fingerprint, vouched: false }]);
  });

  test("puts its own identity behind the right one, as if that had signed", async () => {
    const { attacker, whose, prekey } = await own();
    const before = await importEndToEndIdentity(generateEndToEndIdentity());
    const follows = await signIdentityStatement({
      ...whose,
      identity: attacker,
      before: { ...before, fingerprint: recipient.fingerprint },
      atMs: Date.now(),
    });
    await rewrite((entry) => ({ ...entry, history: [...entry.history, follows], prekey }));
    await refused();
  });

  test("puts its own prekey under the right identity", async () => {
    const { prekey } = await own();
    await rewrite((entry) => ({ ...entry, prekey }));
    await refused();
  });

  test("takes the post-quantum suite out of the right prekey, or shows one that never had it to who wants no less", async () => {
    const right = await rewrite((entry) => entry);
    if (right.prekey === null) throw new Error("there is no prekey");
    const { statement } = right.prekey;
    const { suites, ...rest } = JSON.parse(Buffer.from(statement, "base64url").toString());
    const { "647a": _strong, ...weak } = suites as Record<string, string>;
    const bent = new Uint8Array(Buffer.from(JSON.stringify({ ...rest, suites: weak })));
    const stripped = { ...right.prekey, statement: base64url.encode(bent) };
    await rewrite((entry) => ({ ...entry, prekey: stripped }));
    await refused();
    const owner = await importEndToEndIdentity(identity);
    const old = await signPrekeyStatement(owner, parsePrekeyStatement(bent));
    await rewrite((entry) => ({ ...entry, prekey: old }));
    const strict = await connect(socket.url, { appKey: socket.appKey, requireEndToEnd: true, minSuite: "647a" });
    const [floored, careful] = [await sealing(strict), await sealing(bob, { minSuite: "647a" })];
    for (const e2e of [floored, careful]) await expect(e2e.send(secret)).rejects.toMatchObject({ code: "unsupported" });
    // Who has said nothing of a floor takes it, and that is the first that anybody hears.
    const listener = await memberOn(socket);
    await (await sealing(bob)).send("the only one");
    expect(parseSealedBody((await heard(listener)).bytes).suite).toBe("0020");
    await Promise.all([strict, listener].map((session) => session.close()));
  });

  test("puts there what the same recipient has published on another socket, or under another name", async () => {
    const other = await makeSocket(world.owner, policy);
    const elsewhere = await consumerOn(other);
    await createRecipient(elsewhere, { identity });
    await createRecipient(program, { identity, name: "another" });
    const entries = await openDirectory(world.embedded.platformFor("keys", "attacker").documents);
    const moved = (await Promise.all([other.id, socket.id].map((socketId) => entries.find({ socketId }))))
      .flat()
      .map(({ body }) => body)
      .filter(({ socketId, name }) => socketId === other.id || name === "another");
    expect(moved).toHaveLength(2);
    const right = await rewrite((entry) => entry);
    for (const { history, prekey } of moved) {
      for (const lie of [{ history, prekey }, { prekey }]) {
        await rewrite(() => ({ ...right, ...lie }));
        await refused();
      }
    }
    await elsewhere.close();
  });

  test("goes back to an older prekey, or to the identity before, for who has seen the newer one, in this session or by their pins", async () => {
    const pins = new Map();
    const store = {
      get: (name: string) => pins.get(name) ?? null,
      set: (name: string, pin: object) => pins.set(name, pin),
    };
    const old = await rewrite((entry) => entry);
    const next = generateEndToEndIdentity();
    const renewed = await createRecipient(program, { identity: next, before: identity });
    let aheadMs = 0;
    const clock = () => Date.now() + aheadMs;
    const e2e = await sealing(bob, { pins: store, clock });
    expect((await e2e.who()).fingerprint).toBe(renewed.fingerprint);
    const newest = await rewrite(() => old);
    aheadMs = 61_000;
    await expect(e2e.send(secret)).rejects.toMatchObject({ code: "untrusted-recipient" });
    await expect((await sealing(watcher, { pins: store })).send(secret)).rejects.toMatchObject({
      code: "untrusted-recipient",
    });

    // The same identity, and a prekey of hers from yesterday, whose secret the attacker may have by now.
    const { prekey } = await own(next, Date.now() - 1_800_000);
    await rewrite(() => ({ ...newest, prekey }));
    aheadMs += 61_000;
    await expect(e2e.send(secret)).rejects.toMatchObject({ code: "untrusted-recipient" });
    await rewrite(() => newest);
    aheadMs += 61_000;
    await e2e.send(secret);
  });

  test("forks what follows: two identities that the same one has signed do not lead to each other", async () => {
    // The identity before was stolen after it was followed: its thief can sign another successor.
    const mine = generateEndToEndIdentity();
    await createRecipient(program, { identity: mine, before: identity });
    const right = await rewrite((entry) => entry);
    const e2e = await sealing(bob);
    await e2e.who();
    const { attacker, whose, prekey } = await own();
    const before = await importEndToEndIdentity(identity);
    const forked = await signIdentityStatement({ ...whose, identity: attacker, before, atMs: Date.now() });
    await rewrite(() => ({ ...right, history: [...right.history.slice(0, 1), forked], prekey }));
    const late = await sealing(bob, { recipients: { consumer: (await importEndToEndIdentity(mine)).fingerprint } });
    await expect(late.send(secret)).rejects.toMatchObject({ code: "untrusted-recipient" });
  });

  test("keeps a prekey beyond its end", async () => {
    const { prekey } = await own(identity, Date.now() - 7_200_000);
    await rewrite((entry) => ({ ...entry, prekey }));
    await refused();
  });
});

describe("a message that the server carries", () => {
  test("is opened once, and not by another session's name, on another socket, or by another recipient", async () => {
    const message = await carried();
    const other = await makeSocket(world.owner, policy);
    const elsewhere = await consumerOn(other);
    const there = await createRecipient(elsewhere, { identity });
    const stranger = await createRecipient(program, { identity: generateEndToEndIdentity(), name: "another" });
    await expect(opens({ ...message, from: watcher })).rejects.toMatchObject({ code: "unopened" });
    await expect(opens(message, there)).rejects.toMatchObject({ code: "unopened" });
    expect(await opens(message, stranger)).toBe(null);
    expect((await opens(message))?.text()).toBe(secret);
    await expect(opens(message)).rejects.toMatchObject({ code: "unopened" });
    await elsewhere.close();
  });

  test("cannot be changed in any byte", async () => {
    const { bytes, from: sender } = await carried();
    for (let at = 0; at < bytes.length; at += at < 40 ? 1 : 97) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      const opened = await opens({ bytes: changed, from: sender }).catch((error: { code: string }) => error.code);
      // What names another recipient is for somebody else.
      expect(opened, `byte ${at}`).toBe(at > 0 && at < 17 ? null : "unopened");
    }
    for (const bad of [new Uint8Array(), bytes.subarray(0, -1), bytes.subarray(0, 30), new Uint8Array([...bytes, 0])])
      await expect(opens({ bytes: bad, from: sender })).rejects.toMatchObject({ code: "unopened" });
  });

  test("that is held back is missed by the next one", async () => {
    const e2e = await sealing(bob);
    await e2e.send("held back");
    await heard(watcher);
    await e2e.send("let through");
    expect((await opens(await heard(watcher)))?.missed).toBe(1);
  });

  test("said by the server in Bob's session is not Bob's: it is by another identity, which the program knows him by", async () => {
    const known = new Map([
      [`${bob.label} bob`, { given: null, fingerprint: (await sealing(bob)).fingerprint, prekeyFrom: 0 }],
    ]);
    const changes: KeyChange[] = [];
    const members = { get: (name: string) => known.get(name) ?? null, set: () => {} };
    const careful = await createRecipient(program, {
      identity,
      members,
      onKeyChange: (change) => changes.push(change),
    });
    const forged = await sealing(bob);
    await forged.send("give everything to the server");
    const { bytes } = await heard(watcher);
    const letter = await careful.open({ bytes, from: { sid: bob.sid, member: "bob", memberProven: true } });
    expect(letter?.sender.fingerprint).toBe(forged.fingerprint);
    expect(changes).toMatchObject([{ name: "bob", to: forged.fingerprint, vouched: false }]);
  });
});

describe("an answer", () => {
  test("is opened once, by whom it is for, and as said by whoever said it", async () => {
    const e2e = await sealing(bob);
    await e2e.send(secret);
    const letter = await opens(await heard(watcher));
    await letter?.sender.reply("for Bob");
    const answer = await heard(bob);
    const watchers = await sealing(watcher);
    expect(await watchers.open(answer)).toBe(null);
    await expect(e2e.open({ ...answer, from: watcher })).rejects.toMatchObject({ code: "unopened" });
    expect((await e2e.open(answer))?.text()).toBe("for Bob");
    await expect(e2e.open(answer)).rejects.toMatchObject({ code: "unopened" });
  });

  test("by another identity is refused, even if its maker has the key that came for answers", async () => {
    const e2e = await sealing(bob);
    await e2e.send(secret);
    const body = parseSealedBody((await heard(watcher)).bytes);
    const [newest] = JSON.parse(prekeys.text ?? "[]");
    const { privateKey } = await prekeyPair(Buffer.from(newest.seed, "base64url"), body.suite);
    const place = { socket: bob.label, sid: bob.sid };
    const { reply } = await openBody({ ...place, body, recipient: recipient.fingerprint, privateKey });
    if (reply === null) throw new Error("no key for answers");
    const sender = await importEndToEndIdentity(generateEndToEndIdentity());
    const bytes = await sealBody({
      socket: bob.label,
      sid: program.sid,
      sender,
      to: { fingerprint: e2e.fingerprint, ...reply },
      messageId: secureRandom(16),
      seq: 0,
      reply: null,
      body: utf8("made up"),
    });
    await expect(e2e.open({ bytes, from: program })).rejects.toMatchObject({ code: "untrusted-recipient" });
  });
});

test("a server that says nothing of sealing gets nothing in the clear", async () => {
  const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
  await world.owner.patch(`/v1/sockets/${socket.id}`, { version, policy: { ...policy, encryption: {} } });
  await expect(memberOn(socket)).rejects.toMatchObject({ code: "unsupported" });
  const plain = await connect(socket.url, { appKey: socket.appKey });
  await expect(sealing(plain)).rejects.toMatchObject({ code: "unsupported" });
  await plain.close();
});

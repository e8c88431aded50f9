import {
  generateEndToEndIdentity,
  importEndToEndIdentity,
  openBody,
  prekeyPair,
  sealBody,
  secureRandom,
  signIdentityStatement,
  signPrekeyStatement,
} from "@portcullis/crypto";
import {
  base64url,
  type DirectoryEntry,
  type PrekeyStatement,
  parsePrekeyStatement,
  parseSealedBody,
  type SuiteId,
  utf8,
} from "@portcullis/protocol";
import { describe, expect, it, vi } from "vitest";
import type { Closing } from "../src/closing.ts";
import type { ConsumerSession } from "../src/consumer.ts";
import { createEndToEnd } from "../src/end-to-end/member.ts";
import { createPrekeys } from "../src/end-to-end/prekeys.ts";
import { createRecipient } from "../src/end-to-end/recipient.ts";
import { createPrekeyStore } from "../src/end-to-end/stores.ts";
import { PortcullisError } from "../src/mod.ts";
import type { OwnSession } from "../src/session.ts";

const place = { socket: "demo", sid: "s" };
const suite = "0020" as const;
const own = () => importEndToEndIdentity(generateEndToEndIdentity());

/** As far as these layers look at one. */
function sessionOf(parts: Partial<ConsumerSession & OwnSession> = {}): ConsumerSession {
  const base: Partial<ConsumerSession> = {
    label: "demo",
    sid: "s",
    endToEnd: "allowed",
    minSuite: suite,
    limits: { maxBytes: 1_000_000, perSecond: 10 },
    closed: new Promise(() => {}),
    directory: {
      find: () => Promise.reject(new PortcullisError("not-found")),
      publish: async () => {},
    },
  };
  return { ...base, ...parts } as ConsumerSession;
}

describe("letters that are opened at once", () => {
  it("are opened in the order in which that was asked for: what takes longer is not lost to what came behind it", async () => {
    const identity = generateEndToEndIdentity();
    const store = createPrekeyStore();
    let nowMs = 1_000_000;
    const term = { rotateMs: 1_000, graceMs: 1_000, clock: () => nowMs };
    const slow = {
      ...store,
      async get() {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return store.get();
      },
    };
    const recipient = await createRecipient(sessionOf(), { identity, prekeys: slow, ...term });
    const known = await createPrekeys({ store, ...term }).current();
    nowMs += 1_000;
    // Another replica's: this one has to look for it.
    const made = await createPrekeys({ store, ...term }).current();
    const sender = await own();
    const say = async (seq: number, { id, suites }: typeof made) => {
      const to = { fingerprint: recipient.fingerprint, keyId: id, suite, publicKey: suites[suite] ?? expect.fail() };
      const sealed = { ...place, sender, to, messageId: secureRandom(16), seq, reply: null, body: utf8(`${seq}`) };
      return { bytes: await sealBody(sealed), from: { sid: "s", member: null, memberProven: false } };
    };
    const said = [await say(0, made), await say(1, known), await say(2, known)];
    const forged = { ...(await say(9, known)), from: { sid: "another", member: null, memberProven: false } };
    const [first, second] = [said[0] ?? forged, said[1] ?? forged];
    const opened = await Promise.allSettled([first, forged, second, second, said[2] ?? forged].map(recipient.open));
    recipient.end();
    expect(opened.map((each) => (each.status === "fulfilled" ? each.value?.seq : each.reason.code))).toEqual([
      0,
      "unopened",
      1,
      "unopened",
      2,
    ]);
    expect(opened.flatMap((each) => (each.status === "fulfilled" ? [each.value?.missed] : []))).toEqual([0, 0, 0]);
  });
});

it("two sessions of a member that the server gives one name are not put together into one without a gap", async () => {
  const prekeys = createPrekeyStore();
  const recipient = await createRecipient(sessionOf(), { identity: generateEndToEndIdentity(), prekeys });
  const term = { rotateMs: 86_400_000, graceMs: 86_400_000, clock: Date.now };
  const { id, suites } = await createPrekeys({ store: prekeys, ...term }).current();
  const publicKey = suites[suite] ?? expect.fail();
  const to = { fingerprint: recipient.fingerprint, keyId: id, suite, publicKey };
  const sender = await own();
  const session = () => {
    const reply = { keyId: secureRandom(8), suite, publicKey };
    return async (seq: number) => {
      const sealed = { ...place, sender, to, messageId: secureRandom(16), seq, reply, body: utf8(`${seq}`) };
      return { bytes: await sealBody(sealed), from: { sid: "s", member: null, memberProven: false } };
    };
  };
  const [one, other] = [session(), session()];
  const first = await one(0);
  expect(await recipient.open(first)).toMatchObject({ seq: 0, missed: 0 });
  expect(await recipient.open(await other(1))).toMatchObject({ seq: 1, missed: 1 });
  await expect(recipient.open(first)).rejects.toMatchObject({ code: "unopened" });
  expect(await recipient.open(await one(1))).toMatchObject({ seq: 1, missed: 0 });
  recipient.end();
});

it("an identity goes on counting in its session, whoever speaks for it: answers of a program that begins anew there are not taken for ones that were had", async () => {
  const [identity, prekeys] = [generateEndToEndIdentity(), createPrekeyStore()];
  const sent: Uint8Array[] = [];
  const session = sessionOf({ sendTo: async (_sid, bytes) => void sent.push(bytes as Uint8Array) });
  const seed = secureRandom(32);
  const pair = await prekeyPair(seed, suite);
  const sender = await own();
  for (const seq of [0, 1, 2]) {
    const recipient = await createRecipient(session, { identity, prekeys });
    const [key = expect.fail()] = JSON.parse(prekeys.get()?.toString() ?? "") as { seed: string; id: string }[];
    const { publicKey } = await prekeyPair(base64url.decode(key.seed), suite);
    const to = { fingerprint: recipient.fingerprint, keyId: base64url.decode(key.id), suite, publicKey };
    const reply = { keyId: new Uint8Array(8), suite, publicKey: pair.publicKey };
    const body = await sealBody({ ...place, sender, to, messageId: secureRandom(16), seq, reply, body: utf8("x") });
    const letter = await recipient.open({ bytes: body, from: { sid: "s", member: null, memberProven: false } });
    await letter?.sender.reply("y");
    recipient.end();
  }
  const { privateKey } = pair;
  const numbers = sent.map(async (bytes) => {
    const opened = { ...place, recipient: sender.fingerprint, privateKey, body: parseSealedBody(bytes) };
    return (await openBody(opened)).seq;
  });
  expect(await Promise.all(numbers)).toEqual([0, 1, 2]);
});

it("a floor holds for a program as well: it publishes nothing below it, opens nothing below it, and answers nothing below it", async () => {
  const published: PrekeyStatement[] = [];
  const directory: ConsumerSession["directory"] = {
    find: () => Promise.reject(new PortcullisError("not-found")),
    publish: async (_name, { prekey }) =>
      void published.push(parsePrekeyStatement(base64url.decode(prekey?.statement ?? expect.fail()))),
  };
  const prekeys = createPrekeyStore();
  const identity = generateEndToEndIdentity();
  const strict = sessionOf({ directory, minSuite: "647a", sendTo: () => expect.fail("answered below the floor") });
  const recipient = await createRecipient(strict, { identity, prekeys });
  expect(Object.keys(published[0]?.suites ?? {})).toEqual(["647a"]);
  const [{ seed, id } = expect.fail()] = JSON.parse(prekeys.get()?.toString() ?? "") as { seed: string; id: string }[];
  const weak = await prekeyPair(base64url.decode(seed), "0020");
  const reply = { keyId: secureRandom(8), suite: "0020", publicKey: weak.publicKey } as const;
  const say = async (under: SuiteId, seq: number) => {
    const { publicKey } = await prekeyPair(base64url.decode(seed), under);
    const to = { fingerprint: recipient.fingerprint, keyId: base64url.decode(id), suite: under, publicKey };
    const sealed = { ...place, sender: await own(), to, messageId: secureRandom(16), seq, reply, body: utf8("x") };
    return { bytes: await sealBody(sealed), from: { sid: "s", member: null, memberProven: false } };
  };
  await expect(recipient.open(await say("0020", 0))).rejects.toMatchObject({ code: "unopened" });
  const letter = await recipient.open(await say("647a", 1));
  await expect(letter?.sender.reply("y")).rejects.toMatchObject({ code: "unsupported" });
  recipient.end();
  // Who has said nothing of a floor has both, for members without the other.
  (await createRecipient(sessionOf({ directory }), { identity })).end();
  expect(Object.keys(published[1]?.suites ?? {}).toSorted()).toEqual(["0020", "647a"]);
});

/** A member of a socket on which a program has published that it can be sealed to. */
async function member() {
  const consumer = await own();
  const whose = { socket: "demo", name: "consumer" };
  const seed = secureRandom(32);
  const { publicKey, privateKey } = await prekeyPair(seed, suite);
  const now = Date.now();
  const statement = { ...whose, id: secureRandom(8), suites: { [suite]: publicKey }, from: now, until: now + 60_000 };
  const entry: DirectoryEntry = {
    name: "consumer",
    history: [await signIdentityStatement({ ...whose, identity: consumer, before: null, atMs: now })],
    prekey: await signPrekeyStatement(consumer, statement),
  };
  const sent: Uint8Array[] = [];
  const closed = Promise.withResolvers<Closing>();
  const loggedOut = Promise.withResolvers<void>();
  const session = sessionOf({
    closed: closed.promise,
    loggedOut: loggedOut.promise,
    directory: { find: async () => entry, publish: async () => {} },
    send: async (bytes) => void sent.push(bytes as Uint8Array),
  });
  const e2e = await createEndToEnd(session, { recipients: { consumer: consumer.fingerprint } });
  const end = (reason: Closing["reason"]) =>
    closed.resolve({
      code: 1000,
      name: "closed",
      retry: false,
      retryAfterMs: null,
      reason,
      what: null,
      sealed: false,
    });
  const said = async () => {
    const body = parseSealedBody(sent.shift() ?? expect.fail());
    return Buffer.from(
      (await openBody({ ...place, recipient: consumer.fingerprint, privateKey, body })).body,
    ).toString();
  };
  return { e2e, end, said, logOut: loggedOut.resolve };
}

it("what is sealed is what was there when it was said: whoever said it may use the buffer again", async () => {
  const { e2e, said } = await member();
  const buffer = Buffer.from("first");
  const sent = e2e.send(buffer);
  buffer.write("other");
  await sent;
  expect(await said()).toBe("first");
  await expect(e2e.send(new ArrayBuffer(2) as never)).rejects.toThrow(
    new TypeError("A message is a text or a Uint8Array."),
  );
});

describe("what opens answers", () => {
  it("goes with a session that its program closes, logs out of, or gives up: nothing is said that could be answered", async () => {
    const { e2e, end } = await member();
    await e2e.send("while it lives");
    end("local");
    await expect.poll(() => e2e.send("behind it").catch(({ code }: PortcullisError) => code)).toBe("closed");
  });

  it("goes with a logout, also from a session that ended otherwise before", async () => {
    const { e2e, end, logOut } = await member();
    end("lost");
    await e2e.send("as if it lived");
    logOut();
    await expect.poll(() => e2e.send("behind it").catch(({ code }: PortcullisError) => code)).toBe("closed");
  });

  it("goes a minute behind one that ended otherwise, for what has come and was not read", async () => {
    const { e2e, end } = await member();
    vi.useFakeTimers();
    try {
      end("revoked");
      await vi.advanceTimersByTimeAsync(59_999);
      await e2e.send("as if it lived");
      await vi.advanceTimersByTimeAsync(1);
      await expect(e2e.send("behind it")).rejects.toMatchObject({ code: "closed" });
    } finally {
      vi.useRealTimers();
    }
  });
});

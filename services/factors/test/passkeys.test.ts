import {
  type AuthenticatorSubject,
  assertMemberPasskey,
  assertPasskey,
  beginPasskey,
  finishPasskey,
  forgetPasskey,
  forgetSocketSecrets,
  prepareFactors,
  readPasskeys,
  verifyFactors,
} from "@portcullis/contracts";
import { passkeyChallenge } from "@portcullis/crypto";
import { createVault, fixedKeys } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Change, createSoftPasskey, type SoftPasskey } from "../../../test/passkeys/soft-passkey.ts";
import { subjectId } from "../src/authenticators/subject.ts";
import { passkeysCollection } from "../src/passkeys/record.ts";
import { createPasskeyStore } from "../src/passkeys/store.ts";
import { type Factors, freshHid, startFactors } from "./harness.ts";

const relyingParty = "app.example.com";
const page = `https://${relyingParty}`;
const config = { relyingParty, origins: [page] };
const th = new Uint8Array(32).fill(7);
const cid = "challenge-0123456789ab";
const bob: AuthenticatorSubject = { of: "member", socketId: "s1", member: "bob" };
const ann: AuthenticatorSubject = { of: "member", socketId: "s1", member: "ann" };
const owner: AuthenticatorSubject = { of: "owner", ownerId: "o1" };
let factors: Factors;
let bobs: SoftPasskey;
beforeEach(async () => {
  factors = await startFactors();
  bobs = createSoftPasskey();
  expect(await enrol(bob, bobs)).not.toBeNull();
});
afterEach(() => factors.stop());

interface Options {
  readonly challenge: string;
  readonly rp: { readonly id: string };
}
async function begin(subject: AuthenticatorSubject, account = "bob") {
  const { registrationId, options } = await factors.identity.call(beginPasskey, { subject, relyingParty, account });
  return { registrationId, options: options as unknown as Options };
}
async function finish(subject: AuthenticatorSubject, registrationId: string, response: unknown, origin = page) {
  const body = { subject, registrationId, origin, response: response as Record<string, unknown>, label: "phone" };
  return (await factors.identity.call(finishPasskey, body)).passkey;
}
async function enrol(subject: AuthenticatorSubject, passkey: SoftPasskey) {
  const { registrationId, options } = await begin(subject);
  return finish(subject, registrationId, passkey.register(options, page));
}
interface Where {
  readonly hid?: string;
  readonly ref?: string;
  readonly memberId?: string | null;
  readonly socketId?: string;
  readonly th?: Uint8Array;
  readonly cid?: string | null;
  readonly config?: Record<string, unknown>;
}
async function verify(value: unknown, where: Where = {}) {
  const { results } = await factors.identity.call(verifyFactors, {
    hid: where.hid ?? freshHid(),
    socketId: where.socketId ?? "s1",
    memberId: where.memberId === undefined ? "bob" : where.memberId,
    transcript: where.th ?? th,
    network: "n1",
    cid: where.cid === undefined ? cid : where.cid,
    items: [
      {
        ref: where.ref ?? "r1",
        gate: "passkey",
        config: where.config ?? config,
        value: typeof value === "string" ? value : JSON.stringify(value),
        waitId: null,
      },
    ],
  });
  return results[0]?.ok === true ? "ok" : results[0]?.cause;
}
const challengeOf = async (hash = th, of = cid) => Buffer.from(await passkeyChallenge(hash, of)).toString("base64url");
const signed = async (passkey: SoftPasskey, change: Change & { at?: string; rpId?: string; challenge?: string } = {}) =>
  passkey.get(
    { challenge: change.challenge ?? (await challengeOf()), rpId: change.rpId ?? relyingParty },
    change.at ?? page,
    change,
  );

describe("the gate passkey", () => {
  it("asks for the member's passkeys of this relying party, and for nobody else's", async () => {
    await enrol(ann, createSoftPasskey());
    const prepare = async (memberId: string | null, of = relyingParty) => {
      const { prompts } = await factors.identity.call(prepareFactors, {
        hid: freshHid(),
        socketId: "s1",
        memberId,
        proven: { key: true, memberBound: true },
        transcript: th,
        network: "n1",
        cid,
        items: [{ at: "1", gate: "passkey", config: { ...config, relyingParty: of } }],
      });
      return prompts[0];
    };
    expect(await prepare("bob")).toEqual({
      relyingParty,
      credentials: [{ id: bobs.id, transports: ["internal"] }],
    });
    expect(await prepare("bob", "other.example.com")).toEqual({ relyingParty: "other.example.com", credentials: [] });
    expect(await prepare(null)).toBeNull();
  });

  it("is passed by a signature for this question on this connection, and by the same request again", async () => {
    const answer = await signed(bobs);
    const hid = freshHid();
    expect(await verify(answer, { hid })).toBe("ok");
    expect(await verify(answer, { hid })).toBe("ok");
  });

  it("is passed by a passkey that does not count, as often as it is asked anew", async () => {
    expect(await verify(await signed(bobs, { counter: 0 }))).toBe("ok");
    expect(await verify(await signed(bobs, { counter: 0 }), { ref: "r2" })).toBe("ok");
  });

  it("is not passed by a relayed signature: neither the other connection's nor one for another question", async () => {
    const elsewhere = new Uint8Array(32).fill(8);
    expect(await verify(await signed(bobs, { challenge: await challengeOf(elsewhere) }))).toBe("wrong");
    expect(await verify(await signed(bobs, { challenge: await challengeOf(th, "another-cid") }))).toBe("wrong");
    expect(await verify(await signed(bobs), { th: elsewhere })).toBe("wrong");
    expect(await verify(await signed(bobs), { cid: null })).toBe("unasked");
  });

  it.each<[string, Change & { at?: string; rpId?: string }]>([
    ["made on a page that only looks like it", { at: "https://app.example.com.evil.example" }],
    ["made over http", { at: "http://app.example.com" }],
    ["of another relying party", { rpId: "evil.example" }],
    ["without a person who was verified", { flags: 0x01 }],
    ["made when it was registered", { type: "webauthn.create" }],
  ])("is not passed by a signature %s", async (_what, change) => {
    expect(await verify(await signed(bobs, change))).toBe("wrong");
  });

  it("is not passed by somebody else's passkey, on another socket, by nobody's, or by a strange one", async () => {
    const anns = createSoftPasskey();
    await enrol(ann, anns);
    expect(await verify(await signed(anns))).toBe("unknown");
    expect(await verify(await signed(bobs), { socketId: "s2" })).toBe("unknown");
    expect(await verify(await signed(bobs), { memberId: null })).toBe("unknown");
    expect(await verify(await signed(createSoftPasskey()))).toBe("unknown");
  });

  it("is not passed by a copy that has fallen behind, nor twice at once by one count", async () => {
    expect(await verify(await signed(bobs, { counter: 5 }))).toBe("ok");
    expect(await verify(await signed(bobs, { counter: 5 }))).toBe("used");
    expect(await verify(await signed(bobs, { counter: 4 }))).toBe("used");
    const answers = await Promise.all(Array.from({ length: 20 }, () => signed(bobs, { counter: 9 })));
    const results = await Promise.all(answers.map((answer) => verify(answer)));
    expect(results.filter((result) => result === "ok")).toHaveLength(1);
  });

  it.each(["", "null", "[]", "{}", '{"id":1}', `{"id":"${"A".repeat(2_000)}"}`, "\u0000"])(
    "is not passed by %j, which no browser makes",
    async (value) => {
      expect(await verify(value)).toBe("malformed");
    },
  );

  it("costs the same reads whoever it is", async () => {
    const strange = await signed(createSoftPasskey());
    const known = await signed(bobs, { challenge: await challengeOf(th, "another-cid") });
    const readsOf = async (value: unknown) => {
      const from = factors.calls.length;
      await verify(value);
      return factors.calls.slice(from);
    };
    expect(await readsOf(strange)).toEqual(await readsOf(known));
  });
});

describe("a registration", () => {
  it("can be answered once, by whoever it is for, on the page that it is for", async () => {
    const other = createSoftPasskey();
    const one = await begin(bob);
    const answer = other.register(one.options, page);
    expect(await finish(ann, one.registrationId, answer)).toBeNull();
    // Ended by the first answer, whoever gave it.
    expect(await finish(bob, one.registrationId, answer)).toBeNull();
    const two = await begin(bob);
    expect(await finish(bob, two.registrationId, other.register(two.options, "https://evil.example"), page)).toBeNull();
    const three = await begin(bob);
    expect(await finish(bob, three.registrationId, other.register(one.options, page))).toBeNull();
    const four = await begin(bob);
    expect(await finish(bob, four.registrationId, other.register(four.options, page))).toMatchObject({
      label: "phone",
      relyingParty,
      synced: false,
      lastUsedAtMs: null,
    });
  });

  it("does not give one person's passkey to another", async () => {
    expect(await enrol(ann, bobs)).toBeNull();
    expect((await factors.identity.call(readPasskeys, { subject: ann })).passkeys).toEqual([]);
  });

  it("is over after five minutes", async () => {
    const { registrationId, options } = await begin(bob);
    factors.advance(5 * 60_000 + 1);
    expect(await finish(bob, registrationId, createSoftPasskey().register(options, page))).toBeNull();
  });

  it("is for ten passkeys at most", async () => {
    for (let count = 1; count < 10; count += 1) await enrol(bob, createSoftPasskey());
    await expect(begin(bob)).rejects.toMatchObject({ code: "invalid" });
  });

  it("is for ten at most, however many are added at once", async () => {
    const vault = createVault(fixedKeys(new Uint8Array(32), "factors"));
    const collection = await factors.documents.collection(passkeysCollection);
    const store = createPasskeyStore({ collection, vault, clock: factors.now });
    const add = (id: string) => {
      const credential = { id, publicKey: "AA", transports: [] };
      return store.add({ subject: bob, relyingParty, label: "phone", synced: false, credential });
    };
    for (let count = 1; count < 8; count += 1) await enrol(bob, createSoftPasskey());
    await Promise.allSettled(Array.from({ length: 50 }, (_, n) => add(`id-${n}`)));
    expect((await store.list(bob)).length).toBeLessThanOrEqual(10);
  });

  it("cannot be given to somebody else by who writes to the store, who cannot read it either", async () => {
    const collection = await factors.documents.collection(passkeysCollection);
    const [stored] = await collection.find({ subject: subjectId(bob) }, { limit: 1 });
    if (stored === undefined) throw new Error("nothing is stored");
    expect(JSON.stringify(stored)).not.toContain(bobs.id);
    await collection.replace(stored.id, stored.version, { ...stored.body, subject: subjectId(ann) });
    expect(await verify(await signed(bobs), { memberId: "ann" })).toBe("unknown");
  });
});

describe("a passkey that is forgotten", () => {
  it("passes nothing any more", async () => {
    const { passkeys } = await factors.identity.call(readPasskeys, { subject: bob });
    const passkeyId = passkeys[0]?.id ?? "";
    expect(await factors.identity.call(forgetPasskey, { subject: ann, passkeyId })).toMatchObject({ existed: false });
    expect(await verify(await signed(bobs))).toBe("ok");
    expect(await factors.identity.call(forgetPasskey, { subject: bob, passkeyId })).toEqual({ existed: true, left: 0 });
    expect(await verify(await signed(bobs))).toBe("unknown");
  });

  it("goes with its socket", async () => {
    await factors.identity.call(forgetSocketSecrets, { socketId: "s1" });
    expect(await verify(await signed(bobs))).toBe("unknown");
  });
});

describe("an owner's passkey", () => {
  it("says whose it is, for one request, and a member's says nothing", async () => {
    const owners = createSoftPasskey();
    await enrol(owner, owners);
    const challenge = new Uint8Array(32).fill(3);
    const asked = { challenge: Buffer.from(challenge).toString("base64url"), rpId: relyingParty };
    const assert = async (response: unknown, requestId: string) => {
      const body = { challenge, relyingParty, origin: page, response: response as Record<string, unknown>, requestId };
      return (await factors.identity.call(assertPasskey, body)).ownerId;
    };
    const answer = owners.get(asked, page);
    expect(await assert(answer, "one")).toBe("o1");
    expect(await assert(answer, "one")).toBe("o1");
    expect(await assert(answer, "two")).toBeNull();
    expect(await assert(bobs.get(asked, page), "three")).toBeNull();
    expect(await assert(owners.get({ ...asked, challenge: "AAAA" }, page), "four")).toBeNull();
  });
});

describe("a member's passkey before a connection", () => {
  const challenge = new Uint8Array(32).fill(5);
  const asked = { challenge: Buffer.from(challenge).toString("base64url"), rpId: relyingParty };
  const isTheirs = async (
    response: unknown,
    requestId: string,
    change: { readonly subject?: typeof bob | null; readonly relyingParty?: string; readonly origin?: string } = {},
  ) => {
    const body = {
      challenge,
      relyingParty,
      origin: page,
      subject: bob,
      response: response as Record<string, unknown>,
      requestId,
      ...change,
    };
    return (await factors.identity.call(assertMemberPasskey, body)).isTheirs;
  };

  it("says who they are, for one request", async () => {
    const answer = bobs.get(asked, page);
    expect(await isTheirs(answer, "one")).toBe(true);
    expect(await isTheirs(answer, "one")).toBe(true);
    expect(await isTheirs(answer, "two")).toBe(false);
  });

  it("is nobody else's, and for no other page, challenge or relying party", async () => {
    expect(await isTheirs(bobs.get(asked, page), "a", { subject: ann })).toBe(false);
    expect(await isTheirs(bobs.get(asked, page), "b", { subject: null })).toBe(false);
    expect(await isTheirs(bobs.get(asked, page), "c", { subject: { ...bob, socketId: "s2" } })).toBe(false);
    expect(await isTheirs(bobs.get(asked, "https://evil.example"), "d")).toBe(false);
    expect(await isTheirs(bobs.get(asked, page), "e", { origin: "https://evil.example" })).toBe(false);
    const other = bobs.get({ ...asked, rpId: "evil.example" }, page);
    expect(await isTheirs(other, "f", { relyingParty: "evil.example" })).toBe(false);
    expect(await isTheirs(bobs.get({ ...asked, challenge: "AAAA" }, page), "g")).toBe(false);
    // Present, and not verified.
    expect(await isTheirs(bobs.get(asked, page, { flags: 0x01 }), "h")).toBe(false);
    expect(await isTheirs({}, "i")).toBe(false);
    expect(await isTheirs(bobs.get(asked, page), "j")).toBe(true);
  });
});

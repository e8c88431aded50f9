import { CryptoError, createRecordWriter, generateIdentity, groupStepsOn, sealGroupRecord } from "@portcullis/crypto";
import { base64url, parseGroupRecord } from "@portcullis/protocol";
import { describe, expect, it, vi } from "vitest";
import { createGroupKeys, unknownEpoch } from "../src/group-keys.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** What `keys` says to everybody in one epoch; `at` is the key of a step. */
async function epoch(number = 0) {
  const { identity } = await generateIdentity();
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const writer = createRecordWriter();
  const at = (step: number) => groupStepsOn(secret, step);
  return {
    grant: async (step = 0) => ({
      socket: "socket-1",
      epoch: number,
      step,
      key: base64url.encode(await at(step)),
      verify: base64url.encode(identity.publicKey),
    }),
    async say(step: number, text: string, signing = identity) {
      const own = { socketId: "socket-1", secret: await at(step), signing, epoch: number, step };
      return parseGroupRecord(await sealGroupRecord({ ...own, ...writer.next(), plaintext: bytes(text) }));
    },
  };
}

function keysAt() {
  let nowMs = 0;
  const keys = createGroupKeys(() => nowMs);
  return {
    keys,
    later: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe("the keys of a group, at a client", () => {
  it("follow the steps, and open for five seconds what was overtaken", async () => {
    const { grant, say } = await epoch();
    const { keys, later } = keysAt();
    keys.learn(await grant());
    const overtaken = [await say(0, "zero"), await say(2, "two"), await say(300, "far")];
    expect(await keys.open(await say(3, "three"))).toEqual(bytes("three"));
    expect(await keys.open(await say(1024, "last"))).toEqual(bytes("last"));
    later(4_999);
    for (const [index, text] of ["zero", "two", "far"].entries())
      expect(await keys.open(overtaken[index] ?? (await say(0, "")))).toEqual(bytes(text));
    later(1);
    expect(await keys.open(overtaken[0] ?? (await say(0, "")))).toBe(null);
    expect(await keys.open(await say(1024, "last"))).toEqual(bytes("last"));
  });

  it("are erased with what is being opened at that moment: no key is kept of it afterwards", async () => {
    const { grant, say } = await epoch();
    const { keys } = keysAt();
    keys.learn(await grant());
    const record = await say(1, "one");
    const { slice } = Uint8Array.prototype;
    const copies: Uint8Array[] = [];
    vi.spyOn(Uint8Array.prototype, "slice").mockImplementation(function (this: Uint8Array, ...range) {
      const copy = slice.apply(this, range);
      if (copy.length === 32) copies.push(copy);
      return copy;
    });
    const decrypt = vi.spyOn(crypto.subtle, "decrypt");
    const { decrypt: original } = SubtleCrypto.prototype;
    decrypt.mockImplementation((...given) => {
      keys.erase();
      return original.apply(crypto.subtle, given);
    });
    await keys.open(record);
    vi.restoreAllMocks();
    const kept = copies.filter((copy) => copy.some((byte) => byte !== 0));
    const last = base64url.decode((await grant(1)).key);
    expect(kept.filter((copy) => copy.every((byte, at) => byte === last[at]))).toEqual([]);
  });

  it("do not lead back: who was given a later step passes over what came before it", async () => {
    const { grant, say } = await epoch();
    const { keys } = keysAt();
    keys.learn(await grant(2));
    expect(await keys.open(await say(1, "before"))).toBe(null);
    expect(await keys.open(await say(2, "here"))).toEqual(bytes("here"));
    // Not by another grant either, which may come late.
    keys.learn(await grant(0));
    expect(await keys.open(await say(1, "before"))).toBe(null);
  });

  it("refuse what somebody of the group sealed, and are where they were behind it", async () => {
    const { grant, say } = await epoch();
    const { identity: eve } = await generateIdentity();
    const { keys, later } = keysAt();
    keys.learn(await grant());
    await expect(keys.open(await say(7, "forged", eve))).rejects.toThrow(CryptoError);
    later(60_000);
    expect(await keys.open(await say(0, "true"))).toEqual(bytes("true"));
  });

  it("are derived for nobody who cannot sign: a forged record of the last step costs its signature, and not a thousand keys", async () => {
    const { grant, say } = await epoch();
    const { identity: eve } = await generateIdentity();
    const { keys } = keysAt();
    keys.learn(await grant());
    const forged = await say(1024, "forged", eve);
    const derived = vi.spyOn(crypto.subtle, "sign");
    try {
      await expect(keys.open(forged)).rejects.toThrow(CryptoError);
      expect(derived).not.toHaveBeenCalled();
    } finally {
      derived.mockRestore();
    }
  });

  it("say of an epoch that is to come that its key is missing, and of one of long ago nothing", async () => {
    const epochs = await Promise.all([5, 6, 7, 8].map(epoch));
    const { keys } = keysAt();
    for (const each of epochs) keys.learn(await each.grant());
    const [oldest, next] = [epochs[0] ?? (await epoch()), await epoch(9)];
    expect(await keys.open(await oldest.say(0, "old"))).toBe(null);
    expect(await keys.open(await next.say(0, "new"))).toBe(unknownEpoch);
  });
});

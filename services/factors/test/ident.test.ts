import {
  forgetSign,
  forgetSocketSecrets,
  getSign,
  prepareFactors,
  putSign,
  serverIdentities,
  verifyFactors,
} from "@portcullis/contracts";
import { wordsProof } from "@portcullis/crypto";
import { fingerprintWords } from "@portcullis/crypto/words";
import { isSign } from "@portcullis/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Factors, freshHid, startFactors } from "./harness.ts";

const th = new Uint8Array(32).fill(7);
const cid = "challenge-0123456789ab";
const cat = ["  /\\_/\\", " ( o.o )", "  > ^ <"].join("\n");
const both = { key: true, memberBound: true };
const prints = ["aaRa6Z7BH1X_AU-chuH9DQ", "sY7jXjDa1CkoUaFp5-ZIOQ"];

let factors: Factors;
beforeEach(async () => {
  factors = await startFactors();
  await factors.as("keys").server.serve(serverIdentities, async () => ({ fingerprints: prints }));
});
afterEach(() => factors.stop());

const put = (art: string | null, member = "bob", socketId = "s1") =>
  factors.identity.call(putSign, { socketId, member, art });

interface At {
  readonly cid?: string;
  readonly memberId?: string | null;
  readonly socketId?: string;
  readonly transcript?: Uint8Array;
  readonly proven?: { readonly key: boolean; readonly memberBound: boolean };
}

async function prepare(ask: string, at: At = {}) {
  const where = {
    hid: freshHid(),
    socketId: "s1",
    memberId: "bob",
    transcript: th,
    network: "n1",
    cid,
    proven: both,
    ...at,
  };
  const items = [{ at: "2", gate: "ident", config: { ask } }];
  const { prompts } = await factors.identity.call(prepareFactors, { ...where, items });
  return prompts[0] ?? null;
}

async function verify(ask: string, value: string, at: Omit<At, "proven" | "cid"> & { cid?: string | null } = {}) {
  const where = { hid: freshHid(), socketId: "s1", memberId: "bob", transcript: th, network: "n1", cid, ...at };
  const items = [{ ref: "r1", gate: "ident", config: { ask }, value, waitId: null }];
  const { results } = await factors.identity.call(verifyFactors, { ...where, items });
  return results[0]?.ok === true ? "ok" : results[0]?.cause;
}

const lineup = async (at: At = {}) => ((await prepare("pick", at))?.signs ?? []) as string[];

describe("a sign", () => {
  it("is kept as it was given, changed and forgotten", async () => {
    expect(await put(cat)).toEqual({ art: cat });
    expect(await factors.identity.call(getSign, { socketId: "s1", member: "bob" })).toEqual({ art: cat });
    await put("[ bob ]");
    expect(await factors.identity.call(getSign, { socketId: "s1", member: "bob" })).toEqual({ art: "[ bob ]" });
    expect(await factors.identity.call(getSign, { socketId: "s1", member: "ann" })).toEqual({ art: null });
    expect(await factors.identity.call(forgetSign, { socketId: "s1", member: "bob" })).toEqual({ existed: true });
    expect(await factors.identity.call(forgetSign, { socketId: "s1", member: "bob" })).toEqual({ existed: false });
    expect(await factors.identity.call(getSign, { socketId: "s1", member: "bob" })).toEqual({ art: null });
  });

  it.each(["\u001b]0;owned\u0007cats", "\u001b[2J\u001b[Hcats", "c\u0430ts cats", "cats \ncats", "", "cats\u202e"])(
    "that a terminal would obey, or that looks like another, is not kept: %j",
    async (art) => {
      await expect(put(art)).rejects.toMatchObject({ code: "invalid" });
      expect(await factors.identity.call(getSign, { socketId: "s1", member: "bob" })).toEqual({ art: null });
    },
  );

  it("is made for who has none of their own, another one each time, and is one", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, (_, index) => put(null, `m${index}`)));
    expect(new Set(made.map(({ art }) => art)).size).toBe(20);
    for (const { art } of made) expect(isSign(art)).toBe(true);
  });

  it("goes with its socket", async () => {
    await put(cat);
    await put(cat, "bob", "s2");
    await factors.identity.call(forgetSocketSecrets, { socketId: "s1" });
    expect(await factors.identity.call(getSign, { socketId: "s1", member: "bob" })).toEqual({ art: null });
    expect(await factors.identity.call(getSign, { socketId: "s2", member: "bob" })).toEqual({ art: cat });
  });

  it("lies in no store and crosses no bus in the clear, and cannot be moved to another member", async () => {
    await put("planted-sign-4711");
    await put("[ ann ]", "ann");
    const collection = await factors.documents.collection({
      name: "factors_signs",
      schema: (await import("../src/signs/record.ts")).signsCollection.schema,
      indexes: [{ fields: ["socketId"] }],
    });
    const all = await collection.find({ socketId: "s1" });
    expect(all).toHaveLength(2);
    expect(JSON.stringify(all)).not.toContain("planted-sign");
    for (const { body } of all)
      expect(Buffer.from(body.sealed, "base64url").toString("latin1")).not.toContain("planted-sign");
    for (const bytes of factors.onBus) expect(Buffer.from(bytes).toString("latin1")).not.toContain("planted-sign");
    const [one, two] = all;
    if (one === undefined || two === undefined) throw new Error("two were put");
    await collection.replace(one.id, one.version, two.body);
    await collection.replace(two.id, two.version, one.body);
    // What does not open is not there.
    expect(await factors.identity.call(getSign, { socketId: "s1", member: "bob" })).toEqual({ art: null });
    expect(await prepare("agree")).toEqual({ ask: "agree" });
    expect(factors.logged.join("")).toContain("a sign does not open");
    expect(factors.logged.join("")).not.toContain("planted-sign");
  });
});

describe("what the gate ident shows", () => {
  it.each(["none", "agree", "type"])("is the sign where %s is asked, and nothing where there is none", async (ask) => {
    expect(await prepare(ask)).toEqual({ ask });
    await put(cat);
    expect(await prepare(ask)).toEqual({ ask, sign: cat });
    expect(await prepare(ask, { memberId: "ann" })).toEqual({ ask });
    expect(await prepare(ask, { memberId: null })).toEqual({ ask });
    expect(await prepare(ask, { socketId: "s2" })).toEqual({ ask });
  });

  it.each([
    ["a gate that only the member passes", { key: true, memberBound: false }],
    ["an app key", { key: false, memberBound: true }],
    ["either", { key: false, memberBound: false }],
  ])("is no sign to who has not passed %s: signs are not collected by who found a key", async (_what, proven) => {
    await put(cat);
    for (const ask of ["none", "agree", "type"]) expect(await prepare(ask, { proven })).toEqual({ ask });
    expect(await prepare("pick", { proven })).toBe(null);
  });

  it("costs the same look-ups, whether there is a sign and whether it may be shown", async () => {
    await put(cat);
    const cost = async (at: At) => {
      const before = factors.calls.length;
      await prepare("agree", at);
      return factors.calls.slice(before);
    };
    const known = await cost({});
    expect(await cost({ memberId: "ann" })).toEqual(known);
    expect(await cost({ memberId: null })).toEqual(known);
    expect(await cost({ proven: { key: true, memberBound: false } })).toEqual(known);
  });

  it("cannot be picked from where there is no sign", async () => {
    expect(await prepare("pick")).toBe(null);
    expect(await verify("pick", "1")).toBe("unknown");
  });
});

describe("what is answered to it", () => {
  it.each([
    ["none", "seen"],
    ["agree", "agree"],
  ])("with %s is one word, after it was asked", async (ask, right) => {
    expect(await verify(ask, right)).toBe("ok");
    expect(await verify(ask, "no")).toBe("wrong");
    expect(await verify(ask, "")).toBe("wrong");
    expect(await verify(ask, right, { cid: null })).toBe("unasked");
  });

  it("is never more than what the policy asks for", async () => {
    expect(await verify("agree", "seen")).toBe("wrong");
    expect(await verify("type", "agree")).toBe("wrong");
    expect(await verify("everything", "agree")).toBe("config");
  });

  const words = fingerprintWords(prints[0] ?? "");

  it("by typing is the proof of the server's words, also of a key before it", async () => {
    expect(await verify("type", await wordsProof({ th, cid, words }))).toBe("ok");
    expect(await verify("type", await wordsProof({ th, cid, words: fingerprintWords(prints[1] ?? "") }))).toBe("ok");
  });

  it.each([
    ["another connection, as of a relay with an identity of its own", { th: new Uint8Array(32).fill(8), cid, words }],
    ["another challenge", { th, cid: "challenge-another0000a", words }],
    ["another server's words", { th, cid, words: fingerprintWords("A".repeat(22)) }],
  ])("by typing is not the proof for %s", async (_what, proof) => {
    expect(await verify("type", await wordsProof(proof))).toBe("wrong");
  });

  it("by typing is not the words themselves, which are no secret", async () => {
    expect(await verify("type", words)).toBe("wrong");
  });

  it("by picking is where the sign stands, on each replica, again for the same request, and nowhere else", async () => {
    await put(cat);
    for (const each of ["c1", "c2", "c3", "c4"]) {
      const signs = await lineup({ cid: each });
      expect(signs).toHaveLength(5);
      const own = signs.indexOf(cat) + 1;
      for (let index = 1; index <= 5; index += 1)
        expect(await verify("pick", `${index}`, { cid: each })).toBe(index === own ? "ok" : "wrong");
      expect(await verify("pick", `${own}`, { cid: each })).toBe("ok");
    }
    for (const odd of ["0", "6", "", "1.0", " 1", "01", "1,2"])
      expect(await verify("pick", odd, { cid: "c1" })).toBe("wrong");
    expect(await verify("pick", "1", { cid: null })).toBe("unasked");
  });
});

describe("the others among which a sign is picked", () => {
  it("are the same at every login, so that none of them is the one that always comes", async () => {
    await put(cat);
    const sets = await Promise.all(Array.from({ length: 12 }, (_, index) => lineup({ cid: `cid-${index}` })));
    for (const signs of sets) expect(signs.toSorted()).toEqual(sets[0]?.toSorted());
    expect(new Set(sets[0]).size).toBe(5);
  });

  it("all change with the sign, so that who saw both knows nothing", async () => {
    const { art } = await put(null);
    const before = await lineup();
    expect(before).toContain(art);
    await put(null);
    const after = await lineup();
    expect(after.filter((sign) => before.includes(sign))).toEqual([]);
    // Also where it is set to the very same.
    await put(cat);
    const [first] = [await lineup()];
    await put(cat);
    expect((await lineup()).filter((sign) => first.includes(sign))).toEqual([cat]);
  });

  it("are of the kind of one that was made, and another member's are others", async () => {
    await put(null);
    await put(null, "ann");
    const [bobs, anns] = [await lineup(), await lineup({ memberId: "ann" })];
    const shape = (sign: string) =>
      sign
        .split("\n")
        .map((line) => line.length)
        .join(" ");
    expect(new Set([...bobs, ...anns].map(shape)).size).toBe(1);
    expect(bobs.filter((sign) => anns.includes(sign))).toEqual([]);
    for (const sign of bobs) expect(isSign(sign)).toBe(true);
  });

  it("stand in an order that comes from a secret and is another one each time, not one that a client can work out", async () => {
    await put(cat);
    await put(cat, "ann");
    const places = async (memberId: string) => {
      const all = await Promise.all(
        Array.from({ length: 60 }, (_, index) => lineup({ memberId, cid: `cid-${index}` })),
      );
      return all.map((signs) => signs.indexOf(cat));
    };
    const [bobs, anns] = [await places("bob"), await places("ann")];
    expect(new Set(bobs)).toEqual(new Set([0, 1, 2, 3, 4]));
    // The same challenges, and yet not the same places.
    expect(bobs).not.toEqual(anns);
  });

  it("fit into a record together with the largest sign that there may be", async () => {
    const largest = Array.from({ length: 16 }, () => "\\".repeat(63)).join("\n");
    await put(largest);
    expect(JSON.stringify(await prepare("pick")).length).toBeLessThan(4000);
  });
});

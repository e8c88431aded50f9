import {
  generateEndToEndIdentity,
  type Identity,
  importEndToEndIdentity,
  prekeySuites,
  secureRandom,
  signIdentityStatement,
  signPrekeyStatement,
} from "@portcullis/crypto";
import type { DirectoryEntry, SignedIdentity } from "@portcullis/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import { createRecipients } from "../src/end-to-end/recipients.ts";
import { createPins, type Pin, type PinStore } from "../src/end-to-end/stores.ts";

const whose = { socket: "demo", name: "consumer" };
const nowMs = 1_800_000_000_000;
const pinName = "demo consumer";

const own = () => importEndToEndIdentity(generateEndToEndIdentity());

let [first, second]: readonly [Identity, Identity] = [await own(), await own()];
let [began, followed]: readonly [SignedIdentity, SignedIdentity] = [
  await beginning(first),
  await behind(first, second),
];
let pins: PinStore;
let aheadMs: number;

beforeEach(async () => {
  [first, second] = [await own(), await own()];
  [began, followed] = [await beginning(first), await behind(first, second)];
  pins = createPins();
  aheadMs = 0;
});

function beginning(identity: Identity) {
  return signIdentityStatement({ ...whose, identity, before: null, atMs: nowMs });
}

function behind(before: Identity, identity: Identity) {
  return signIdentityStatement({ ...whose, identity, before, atMs: nowMs });
}

async function entry(history: SignedIdentity[], by: Identity, from = nowMs): Promise<DirectoryEntry> {
  const statement = {
    ...whose,
    id: secureRandom(8),
    suites: await prekeySuites(secureRandom(32)),
    from,
    until: from + 1e9,
  };
  return { name: "consumer", history, prekey: await signPrekeyStatement(by, statement) };
}

/** A server that answers what it is told to, when it likes. */
function recipientsOf(
  answer: () => DirectoryEntry | Promise<DirectoryEntry>,
  more: { given?: Record<string, string>; unpinned?: "refuse" | "allow" } = {},
) {
  return createRecipients({
    session: {
      label: "demo",
      directory: { find: async () => answer(), publish: async () => {} },
    },
    given: more.given ?? {},
    unpinned: more.unpinned ?? "refuse",
    pins,
    onKeyChange: undefined,
    clock: () => nowMs + aheadMs,
  });
}
const pinned = (): Pin | null => pins.get(pinName) as Pin | null;

it("an entry is asked for anew where the clock was set back: nobody knows how old it is", async () => {
  const answers = [await entry([began], first), await entry([began], first, nowMs + 1)];
  const recipients = recipientsOf(() => answers.shift() ?? expect.fail(), { given: { consumer: first.fingerprint } });
  await recipients.find("consumer");
  aheadMs = -61_000;
  expect((await recipients.find("consumer")).prekey).toMatchObject({ from: nowMs + 1 });
});

describe("whoever has seen the newer identity", () => {
  it("is not led back by an answer that the server has held back meanwhile", async () => {
    const old = await entry([began], first);
    const newer = await entry([began, followed], second, nowMs + 1);
    const held = Promise.withResolvers<DirectoryEntry>();
    const answers = [held.promise, newer, old];
    const given = { consumer: first.fingerprint };
    const recipients = recipientsOf(() => answers.shift() ?? newer, { given });
    const asked = recipients.find("consumer");
    aheadMs = 61_000;
    expect((await recipients.find("consumer")).fingerprint).toBe(second.fingerprint);
    held.resolve(old);
    await expect(asked).rejects.toMatchObject({ code: "untrusted-recipient" });
    expect(pinned()).toMatchObject({ fingerprint: second.fingerprint, prekeyFrom: nowMs + 1 });
    aheadMs = 122_000;
    await expect(recipients.find("consumer")).rejects.toMatchObject({ code: "untrusted-recipient" });
  });

  it("takes an answer of hers for the recipient's, and no more one of the identity before, in the same session either", async () => {
    const answers = [await entry([began], first), await entry([began, followed], second)];
    const recipients = recipientsOf(() => answers.shift() ?? expect.fail(), { given: { consumer: first.fingerprint } });
    await recipients.find("consumer");
    expect(await recipients.nameOf(first.fingerprint)).toBe("consumer");
    aheadMs = 61_000;
    await recipients.find("consumer");
    expect(await recipients.nameOf(second.fingerprint)).toBe("consumer");
    expect(await recipients.nameOf(first.fingerprint)).toBe(null);
  });

  it("takes her first prekey, whenever that was made, also where she was shown without one before", async () => {
    const { prekey: _prekey, ...bare } = await entry([began, followed], second);
    const answers = [await entry([began], first, nowMs + 60_000), bare, await entry([began, followed], second)];
    const recipients = recipientsOf(() => answers.shift() ?? expect.fail(), { given: { consumer: first.fingerprint } });
    for (let asked = 0; asked < 2; asked += 1) {
      await recipients.find("consumer");
      aheadMs += 61_000;
    }
    expect((await recipients.find("consumer")).prekey?.from).toBe(nowMs);
  });
});

describe("what was learnt", () => {
  it("counts as well where the application gives no pin any more, and where it gives the same one again", async () => {
    const given = { consumer: first.fingerprint };
    const right = await entry([began, followed], second);
    await recipientsOf(() => right, { given }).find("consumer");
    const stranger = await own();
    const wrong = await entry([await beginning(stranger)], stranger);
    for (const unpinned of ["allow", "refuse"] as const) {
      await expect(recipientsOf(() => wrong, { unpinned }).find("consumer")).rejects.toMatchObject({
        code: "untrusted-recipient",
      });
      expect((await recipientsOf(() => right, { unpinned }).find("consumer")).fingerprint).toBe(second.fingerprint);
    }
    const back = await entry([began], first);
    await expect(recipientsOf(() => back, { given }).find("consumer")).rejects.toMatchObject({
      code: "untrusted-recipient",
    });
  });

  it("is taken once, where several ask at the same moment and nothing was known", async () => {
    const stranger = await own();
    const answers = [await entry([began], first), await entry([await beginning(stranger)], stranger)];
    const recipients = recipientsOf(() => answers.shift() ?? expect.fail(), { unpinned: "allow" });
    const one = recipients.find("consumer");
    aheadMs = 61_000;
    const other = recipients.find("consumer");
    expect((await one).fingerprint).toBe(first.fingerprint);
    await expect(other).rejects.toMatchObject({ code: "untrusted-recipient" });
    expect(pinned()?.fingerprint).toBe(first.fingerprint);
  });
});

import { killAppKey, type Outcome, readAppKeys, ServiceError, type Step } from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import type { Client } from "./support/client.ts";
import { accepted, challenge, codeOf, denied, startWorld, type World } from "./support/world.ts";

let world: World;
let client: Client;
let cid: string;
let keyId: string;
beforeEach(async () => {
  world = await startWorld();
  const minted = await world.mint();
  keyId = minted.appKey.keyId;
  ({ client, cid } = await challenged(minted.key));
});
afterEach(() => world.close());

/** As far as the first question. */
async function challenged(appKey: string | null) {
  const made = await world.client({ appKey });
  const plaintext = await made.hear(await world.open(made.route, made.open));
  if (plaintext.t !== "challenge") throw new Error("no challenge");
  return { client: made, cid: plaintext.cid };
}
const otp = (value: string) => ({ t: "answer" as const, cid, gate: "otp", value });
const send = (record: Uint8Array) => world.record(client.hid, record);
const outOfOrder: Step = { frames: [], admitted: null, close: 4501, deadlineMs: null };
const malformed: Step = { ...outOfOrder, close: 4500 };

async function channel(hid = client.hid): Promise<Record<string, unknown> | null> {
  const { state, vault } = world.platform;
  const found = await state.get(`keys:handshake:${hid}`);
  return found === null ? null : JSON.parse(Buffer.from(vault.unwrap(found.value, `handshake:${hid}`)).toString());
}

describe("a record", () => {
  it("reaches identity as what it says, and the answer comes sealed, in order", async () => {
    const questions: Outcome[] = [challenge(world.now() + 1000), denied];
    world.identity.onStep = () => questions.shift() ?? denied;
    const first = await client.hear(await send(await client.say(otp("000000"))));
    expect(first).toMatchObject({ t: "challenge", n: 2 });
    const last = await send(await client.say({ t: "cancel" }));
    expect(await client.hear(last)).toEqual({ t: "denied", n: 3, code: "denied" });
    expect(last.close).toBe(4503);
    expect(world.identity.taken).toEqual([
      {
        handshake: client.hid,
        hid: client.hid,
        transcript: client.th,
        n: 1,
        keyLive: true,
        action: { do: "answer", cid, answer: { gate: "otp", value: "000000", at: null } },
      },
      {
        handshake: client.hid,
        hid: client.hid,
        transcript: client.th,
        n: 2,
        keyLive: true,
        action: { do: "cancel" },
      },
    ]);
  });

  it("that is enough is accepted, with a finish value over every word that was said", async () => {
    const again = challenge(world.now() + 1000);
    const outcome = accepted(world.now() + 60_000);
    const outcomes: Outcome[] = [again, outcome];
    world.identity.onStep = () => outcomes.shift() ?? denied;
    await client.hear(await send(await client.say(otp("000000"))));
    const step = await send(await client.say(otp("123456")));
    const plaintext = await client.hear(step);
    expect(plaintext).toMatchObject({ t: "accepted", n: 3, nC: 2, sid: outcome.admitted.sid });
    expect(plaintext).toMatchObject({ F: (await client.finish()).F });
    expect(step).toMatchObject({ admitted: outcome.admitted, close: null, deadlineMs: null });
  });

  it("that is repeated gets the stored bytes, also after the verdict, and identity hears it once", async () => {
    const record = await client.say(otp("123456"));
    const first = await send(record);
    expect(await send(record)).toEqual(first);
    world.advance(59_000);
    expect(await send(record)).toEqual(first);
    expect(world.identity.taken).toHaveLength(1);
  });

  it("sent to both replicas at once is one step, and both say the same bytes", async () => {
    const record = await client.say(otp("123456"));
    const { wait, reached, open } = gate();
    world.identity.onStep = async () => {
      await wait();
      return accepted(world.now() + 60_000);
    };
    const sending = [send(record), send(record)];
    await reached;
    await expect.poll(() => world.identity.taken.length).toBe(2);
    open();
    const [one, two] = await Promise.all(sending);
    expect(two).toEqual(one);
    expect(world.identity.taken[0]).toEqual(world.identity.taken[1]);
    if (one === undefined) throw new Error("no step");
    expect(await client.hear(one)).toMatchObject({ t: "accepted", F: (await client.finish()).F });
    expect(world.identity.abandoned).toEqual([]);
  });

  it("is taken again where the first attempt got no answer", async () => {
    let fail = true;
    world.identity.onStep = () => {
      if (fail) throw new ServiceError("unavailable");
      return accepted(world.now() + 60_000);
    };
    const record = await client.say(otp("123456"));
    expect(await codeOf(send(record))).toBe("unavailable");
    fail = false;
    expect(await client.hear(await send(record))).toMatchObject({ t: "accepted" });
  });

  it.each<[string, () => Promise<Uint8Array>]>([
    ["a counter that skips", () => client.seal({ ...otp("1"), n: 1 }, 1)],
    ["a number that skips", () => client.seal({ ...otp("1"), n: 2 }, 0)],
    ["a number that is both", () => client.seal({ ...otp("1"), n: 2 }, 1)],
  ])("with %s ends the handshake", async (_, make) => {
    expect(await send(await make())).toEqual(outOfOrder);
    expect(await send(await client.say(otp("123456")))).toEqual(outOfOrder);
    expect(world.identity.taken).toEqual([]);
  });

  it("that is altered, or under another key, ends the handshake", async () => {
    const record = await client.say(otp("123456"));
    const altered = record.slice();
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
    expect(await send(altered)).toEqual(malformed);
    expect(await send(record)).toEqual(outOfOrder);
    const { key } = await world.mint();
    ({ client, cid } = await challenged(key));
    expect(await send(await client.seal({ ...otp("1"), n: 1 }, 0, new Uint8Array(32)))).toEqual(malformed);
    expect(world.identity.taken).toEqual([]);
  });

  it.each([
    ["generation", 1],
    ["counter", 12],
  ])("with an altered %s in its header ends the handshake", async (_, at) => {
    const record = await client.say(otp("123456"));
    record[at] = 1;
    expect(await send(record)).toEqual(outOfOrder);
    expect(await channel()).toBe(null);
  });

  it("of another kind than the client's own ends the handshake", async () => {
    // The server's record, sent back.
    const { key } = await world.mint();
    const made = await world.client({ appKey: key });
    const [frame] = (await world.open(made.route, made.open)).frames;
    expect(await world.record(made.hid, frame?.data ?? new Uint8Array())).toEqual(outOfOrder);
  });

  it("of another content under a counter that was used is refused, and what was accepted stays", async () => {
    const record = await client.say(otp("123456"));
    const step = await send(record);
    expect(await send(await client.seal({ ...otp("654321"), n: 1 }, 0))).toEqual(outOfOrder);
    expect(await send(record)).toEqual(step);
    expect(world.identity.taken).toHaveLength(1);
    expect(await client.hear(step)).toMatchObject({ t: "accepted" });
    expect(world.identity.abandoned).toEqual([]);
  });

  it("of another content under the same counter at once: identity decides which, and the other is refused", async () => {
    const first = await client.seal({ ...otp("111111"), n: 1 }, 0);
    const second = await client.seal({ ...otp("222222"), n: 1 }, 0);
    let heard = 0;
    world.identity.onStep = () => {
      heard += 1;
      if (heard > 1) throw new ServiceError("conflict");
      return accepted(world.now() + 60_000);
    };
    const codes = await Promise.all([codeOf(send(first)), codeOf(send(second))]);
    expect(codes.sort()).toEqual(["conflict", null].sort());
  });

  it("for a handshake that nobody has opened, or that is over for long, is out of order", async () => {
    expect(await world.record("edge-1.AAAAAAAAAAAAAAAAAAAAAA", await client.say(otp("1")))).toEqual(outOfOrder);
    const record = await client.seal({ ...otp("1"), n: 1 }, 0);
    world.advance(120_000 + 60_001);
    expect(await send(record)).toEqual(outOfOrder);
  });

  it("of another handshake does not open", async () => {
    const { key } = await world.mint();
    const other = await challenged(key);
    expect(await world.record(other.client.hid, await client.say(otp("1")))).toEqual(malformed);
  });
});

describe("a channel", () => {
  it("holds its secret until the verdict, and not a moment longer", async () => {
    expect(await channel()).toMatchObject({ done: false, prk: Buffer.from(client.prk).toString("base64url") });
    await send(await client.say(otp("123456")));
    expect(await channel()).toMatchObject({ done: true, prk: "" });
  });

  it.each([
    ["denied under seal", denied],
    ["accepted at once", accepted(1_795_000_060_000)],
  ])("that is %s by its opening holds none at all", async (_, outcome) => {
    world.identity.onOpen = () => outcome;
    const made = await world.client({ appKey: null });
    await world.open(made.route, made.open);
    expect(await channel(made.hid)).toMatchObject({ done: true, prk: "" });
  });

  it("of who is turned away bare there is none, as for who never opened a box", async () => {
    world.identity.onOpen = () => ({ say: "denied", retryAfterMs: null, sealed: false });
    const made = await world.client({ appKey: null });
    await world.open(made.route, made.open);
    expect(await channel(made.hid)).toBe(null);
  });

  it("opens only for its own handshake", async () => {
    const { state, vault } = world.platform;
    const found = await state.get(`keys:handshake:${client.hid}`);
    expect(() => vault.unwrap(found?.value ?? new Uint8Array(), "handshake:another")).toThrow();
    await state.create("keys:handshake:edge-1.BBBBBBBBBBBBBBBBBBBBBA", found?.value ?? new Uint8Array(), 1000);
    expect(await codeOf(world.record("edge-1.BBBBBBBBBBBBBBBBBBBBBA", await client.say(otp("1"))))).toBe("internal");
  });
});

describe("a key that is revoked while its handshake goes on", () => {
  const revoke = () => world.asIdentity.call(killAppKey, { socketId: "socket-1", keyId });

  it("lets nobody in, and the session that was registered is given up", async () => {
    const outcome = accepted(world.now() + 60_000);
    world.identity.onStep = async () => {
      await revoke();
      return outcome;
    };
    const step = await send(await client.say(otp("123456")));
    expect(step).toMatchObject({ admitted: null, close: 4503 });
    expect(await client.hear(step)).toEqual({ t: "denied", n: 2, code: "denied" });
    await expect.poll(() => world.identity.abandoned).toEqual([outcome.admitted.sid]);
    expect(await world.platform.state.get(`keys:session:${outcome.admitted.sid}`)).toBe(null);
  });

  it("is reported with the next record, so that nothing more is asked under it", async () => {
    const { key } = await world.mint();
    const other = await challenged(key);
    const keyless = await challenged(null);
    await revoke();
    for (const { client: each } of [{ client }, other, keyless]) {
      world.identity.onStep = () => challenge(world.now() + 1000);
      await world.record(each.hid, await each.say({ ...otp("000000") }));
    }
    expect(world.identity.taken.map(({ hid, keyLive }) => [hid, keyLive])).toEqual([
      [client.hid, false],
      [other.client.hid, true],
      [keyless.client.hid, true],
    ]);
  });

  it("is revoked also when its use is noted at the same time", async () => {
    const { wait, reached, open } = gate();
    const stop = world.before("keys_app_keys.replace", wait);
    await send(await client.say(otp("123456")));
    await reached;
    stop();
    await revoke();
    open();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { appKeys } = await world.asIdentity.call(readAppKeys, { socketId: "socket-1" });
    expect(appKeys.find((each) => each.keyId === keyId)?.revokedAtMs).toBe(world.now());
  });

  it("and ended between identity's verdict and the store: the session is given up as well", async () => {
    const outcome = accepted(world.now() + 60_000);
    world.identity.onStep = () => outcome;
    const record = await client.say(otp("123456"));
    const { wait, reached, open } = gate();
    const stop = world.before("state.replace", wait);
    const sending = codeOf(send(record));
    await reached;
    stop();
    // Somebody sends nonsense on this connection meanwhile, which ends it.
    expect(await send(await client.seal({ ...otp("1"), n: 5 }, 4))).toEqual(outOfOrder);
    open();
    expect(await sending).toBe("conflict");
    await expect.poll(() => world.identity.abandoned).toEqual([outcome.admitted.sid]);
  });
});

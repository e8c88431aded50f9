import { setTimeout as sleep } from "node:timers/promises";
import { killAppKey, ServiceError } from "@portcullis/contracts";
import { type SuiteId, suiteIds } from "@portcullis/crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openAppKeys } from "../src/app-keys/store.ts";
import { type ClientOptions, freshHid } from "./support/client.ts";
import {
  accepted,
  bare,
  bareText,
  challenge,
  codeOf,
  denied,
  startWorld,
  textOf,
  type World,
} from "./support/world.ts";

let world: World;
let key: string;
let keyId: string;
beforeEach(async () => {
  world = await startWorld();
  const minted = await world.mint();
  key = minted.key;
  keyId = minted.appKey.keyId;
});
afterEach(() => world.close());

type Options = Partial<Omit<ClientOptions, "nowMs">>;
const clientWith = (options: Options = {}) => world.client({ appKey: key, ...options });
async function opened(options: Options = {}) {
  const client = await clientWith(options);
  return { client, step: await world.open(client.route, client.open) };
}
const denial = {
  frames: [{ kind: "text", data: new Uint8Array(Buffer.from(bareText)), n: 0 }],
  admitted: null,
  close: 4503,
  deadlineMs: null,
};

describe("an opening", () => {
  it.each([...suiteIds])("under suite %s proves the key, and identity learns what is in the box", async (suite) => {
    const answers = [
      { gate: "otp", value: "123456", at: "1" },
      { gate: "otp", value: "654321" },
    ];
    const { client, step } = await opened({ suite: suite as SuiteId, payload: { answers } });
    expect(world.identity.opened).toEqual([
      {
        hid: client.hid,
        opening: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
        connection: client.open.connection,
        opened: true,
        suite,
        claimedId: "bob",
        key: { keyId, socketId: "socket-1", role: "member" },
        parked: null,
        resumed: null,
        transcript: client.th,
        parameters: {},
        ticket: null,
        answers: [answers[0], { ...answers[1], at: null }],
      },
    ]);
    expect(await client.hear(step)).toMatchObject({ t: "challenge", n: 1, attemptsLeft: 3 });
    expect(step).toMatchObject({ admitted: null, close: null, deadlineMs: world.now() + 120_000 });
  });

  it("in Base mode proves no key", async () => {
    const { client, step } = await opened({ appKey: null });
    expect(world.identity.opened[0]).toMatchObject({ opened: true, key: null });
    await client.hear(step);
  });

  it("with everything right in the first frame is accepted at once", async () => {
    const outcome = accepted(world.now() + 1000);
    world.identity.onOpen = () => outcome;
    const { client, step } = await opened();
    const plaintext = await client.hear(step);
    expect(plaintext).toMatchObject({ t: "accepted", n: 1, nC: 0, sid: outcome.admitted.sid, member: "bob" });
    expect(plaintext).toMatchObject({ F: (await client.finish()).F });
    expect(step).toMatchObject({ admitted: outcome.admitted, close: null });
  });

  it("that is denied by policy is denied under seal, where the client has proven something", async () => {
    world.identity.onOpen = () => denied;
    const { client, step } = await opened();
    expect(await client.hear(step)).toEqual({ t: "denied", n: 1, code: "denied" });
    expect(step.close).toBe(4503);
  });
});

describe("every failure", () => {
  const failures: [string, () => Promise<Options> | Options][] = [
    ["a wrong secret for the key's id", () => ({ psk: new Uint8Array(32).fill(9) })],
    ["a key that does not exist", () => ({ appKey: key.replace(keyId, "AAAAAAAAAAAAAAAA") })],
    [
      "a key that was revoked",
      async () => {
        await world.asIdentity.call(killAppKey, { socketId: "socket-1", keyId });
        return {};
      },
    ],
    [
      "a key whose socket is gone",
      async () => {
        await world.asIdentity.call(killAppKey, { socketId: "socket-1", keyId: null });
        return {};
      },
    ],
    [
      "a key whose stored secret was altered",
      async () => {
        const keys = await openAppKeys(world.platform.documents);
        const stored = await keys.get(keyId);
        if (stored === null) throw new Error("not there");
        await keys.replace(keyId, 1, { ...stored.body, pskSealed: `AAAA${stored.body.pskSealed.slice(4)}` });
        return {};
      },
    ],
    [
      "another label in the box",
      () => ({ payload: { dst: { label: "two", path: "a-path", query: "id=bob", id: "bob" } } }),
    ],
    [
      "another path in the box",
      () => ({ payload: { dst: { label: "one", path: "a-path/", query: "id=bob", id: "bob" } } }),
    ],
    [
      "another query in the box",
      () => ({ payload: { dst: { label: "one", path: "a-path", query: "id=ann", id: "bob" } } }),
    ],
  ];

  it.each(failures)("gets the same bytes and the same questions: %s", async (_, options) => {
    const { step } = await opened(await options());
    expect(step).toEqual(denial);
    expect(world.identity.opened).toMatchObject([{ opened: false, claimedId: null, key: null, answers: [] }]);
  });

  it("gets the same bytes and the same questions: a box that was altered on the way", async () => {
    const client = await clientWith();
    const frame = JSON.parse(Buffer.from(client.open.open).toString());
    const box = Buffer.from(frame.box, "base64url");
    box[20] = (box[20] ?? 0) ^ 1;
    const open = new Uint8Array(Buffer.from(JSON.stringify({ ...frame, box: box.toString("base64url") })));
    expect(await world.open(client.route, { ...client.open, open })).toEqual(denial);
    expect(world.identity.opened).toMatchObject([{ opened: false }]);
  });

  it("gets the same bytes and the same questions: a box for another connection", async () => {
    const client = await clientWith();
    expect(await world.open(client.route, { ...client.open, hid: freshHid() })).toEqual(denial);
    const second = await clientWith();
    expect(await world.open(second.route, { ...second.open, nonce: new Uint8Array(32) })).toEqual(denial);
    expect(world.identity.opened.map((each) => each.opened)).toEqual([false, false]);
  });

  it.each<[string, boolean, number]>([
    ["a box that did not open, at once", false, 0],
    ["one that did, at once", true, 0],
    ["a box that did not open, after a while", false, 20],
    ["one that did, after a while", true, 20],
  ])("leaves at a moment that its work does not decide: %s", async (_, isOpened, workMs) => {
    const client = await clientWith(
      isOpened ? {} : { appKey: "pc1.AAAAAAAAAAAAAAAA.".concat(key.split(".").slice(2).join(".")) },
    );
    world.identity.onOpen = async () => {
      await sleep(workMs);
      return bare;
    };
    const startedAt = performance.now();
    expect(await world.open(client.route, client.open)).toEqual(denial);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(25);
    expect(world.identity.opened).toMatchObject([{ opened: isOpened }]);
  });

  it("gets the same bytes: what identity turns away, though the box opened", async () => {
    world.identity.onOpen = () => bare;
    expect((await opened()).step).toEqual(denial);
    expect((await opened({ appKey: null, at: { path: "nowhere" } })).step).toEqual(denial);
    const { key: foreign } = await world.mint("socket-2");
    expect((await opened({ appKey: foreign })).step).toEqual(denial);
    expect(world.identity.opened.at(-1)?.key).toMatchObject({ socketId: "socket-2" });
  });

  it("reads as much from the stores for a key that is there as for one that is not", async () => {
    world.identity.onOpen = () => bare;
    const reads: string[] = [];
    for (const operation of ["keys_app_keys.get", "state.get", "state.create"])
      world.before(operation, () => void reads.push(operation));
    const cost = async (options: Options) => {
      reads.length = 0;
      await opened(options);
      return reads.join();
    };
    const wrongSecret = await cost({ psk: new Uint8Array(32) });
    expect(wrongSecret).toBe("keys_app_keys.get");
    expect(await cost({ appKey: key.replace(keyId, "AAAAAAAAAAAAAAAA") })).toBe(wrongSecret);
  });

  it("that is no frame of the protocol is no denial", async () => {
    const client = await clientWith();
    const step = await world.open(client.route, { ...client.open, open: new Uint8Array(Buffer.from("{}")) });
    expect(step).toMatchObject({ frames: [], close: 4500 });
    expect(world.identity.opened).toEqual([]);
  });
});

describe("a bundle's key", () => {
  it("is one replica's: under another's, or one that has expired, the client is told to take a fresh hello", async () => {
    const stale = { close: 4002, admitted: null, deadlineMs: null };
    const client = await clientWith();
    const other = client.route === "keys" ? "keys-2" : "keys";
    const elsewhere = await world.open(other, client.open);
    expect(elsewhere).toMatchObject(stale);
    expect(textOf(elsewhere)).toBe('{"t":"denied","code":"expired-bundle"}');
    const late = await clientWith();
    world.advance(75_001);
    const expired = await world.open(late.route, late.open);
    expect(expired).toEqual(elsewhere);
    expect(world.identity.opened).toEqual([]);
  });

  it("opens an encapsulation for one connection only", async () => {
    const client = await clientWith();
    const step = await world.open(client.route, client.open);
    await client.hear(step);
    const again = await world.open(client.route, { ...client.open, hid: freshHid() });
    expect(again).toEqual(denial);
    expect(world.identity.opened).toHaveLength(1);
  });
});

describe("an opening that its edge repeats", () => {
  it("gets the same bytes, afterwards and while it is being handled, and one session", async () => {
    const outcome = accepted(world.now() + 60_000);
    world.identity.onOpen = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return outcome;
    };
    const client = await clientWith();
    const ask = () => world.open(client.route, client.open);
    const [one, two] = await Promise.all([ask(), ask()]);
    expect(two).toEqual(one);
    expect(await ask()).toEqual(one);
    expect(await client.hear(one)).toMatchObject({ t: "accepted" });
  });

  it("is finished where the first attempt failed half-way", async () => {
    let fail = true;
    world.identity.onOpen = () => {
      if (fail) throw new ServiceError("busy");
      return challenge(world.now() + 1000);
    };
    const client = await clientWith();
    expect(await codeOf(world.open(client.route, client.open))).toBe("busy");
    fail = false;
    const stop = world.before("state.create", () => {
      throw new Error("the store is away");
    });
    expect(await codeOf(world.open(client.route, client.open))).toBe("internal");
    stop();
    expect(await client.hear(await world.open(client.route, client.open))).toMatchObject({ t: "challenge", n: 1 });
  });

  it("is refused under the same handshake with another box", async () => {
    const client = await clientWith();
    await world.open(client.route, client.open);
    // Of the same replica, so that it can be opened.
    let other = await clientWith({ hid: client.hid, appKey: null });
    while (other.route !== client.route) other = await clientWith({ hid: client.hid, appKey: null });
    expect(await codeOf(world.open(other.route, other.open))).toBe("conflict");
    // What the honest one has begun goes on.
    const step = await world.open(client.route, client.open);
    await client.hear(step);
  });
});

import {
  createMember,
  createSocket,
  enrolAuthenticator,
  identityOpen,
  identityStep,
  type Outcome,
  ServiceError,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freshHid, opening } from "./support/handshake.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
let enrol: () => Promise<unknown>;
const path = "a-path-of-its-own";
const label = "one";
const handshakeMs = 120_000;

async function socket(mode: "prompted" | "offered"): Promise<void> {
  world = await startWorld();
  const { ownerId } = await world.owner();
  const onFailure = { attempts: 2, then: "silence" };
  const policy = { gates: [{ gate: "otp" }], mode, onFailure, deadlines: { handshake: "2m" } };
  const { id: socketId } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
  const contacts = { email: null, phone: null };
  await world.api.call(createMember, { ownerId, socketId, name: "bob", contacts, passphrase: null });
  enrol = () => world.api.call(enrolAuthenticator, { ownerId, socketId, memberName: "bob" });
  await enrol();
}
afterEach(() => world.close());

const open = (hid: string, parked: string | null = null): Promise<Outcome> =>
  world.keysCaller.call(identityOpen, opening({ hid, label, path, query: "id=bob", parked }));
/** A second later: what is said, and when, does not move the end. */
const say = (hid: string, n: number, cid: string | null, value: string): Promise<Outcome> => {
  const answer = { gate: "otp", value, at: null };
  const action =
    cid === null ? { do: "offer" as const, answers: [answer], parameters: {} } : { do: "answer" as const, cid, answer };
  world.advance(1_000);
  const taken = { handshake: hid, hid, transcript: new Uint8Array(32), n, keyLive: true, action };
  return world.keysCaller.call(identityStep, taken);
};
const cidOf = (outcome: Outcome): string => {
  if (outcome.say !== "challenge") throw new Error(`not a question: ${outcome.say}`);
  return outcome.cid;
};

/** A handshake whose attempts are used up. */
async function silenced(): Promise<{ readonly hid: string; readonly silence: Outcome }> {
  const hid = freshHid();
  const first = await open(hid);
  const second = await say(hid, 1, cidOf(first), "wrong");
  return { hid, silence: await say(hid, 2, cidOf(second), "wrong") };
}

describe("who has failed under `silence`", () => {
  beforeEach(() => socket("prompted"));

  it("is to hear nothing until the time of their handshake is over", async () => {
    const beganMs = world.now();
    const { silence } = await silenced();
    expect(silence.say).toBe("silent");
    const { deadlineMs } = silence as Extract<Outcome, { say: "silent" }>;
    expect(deadlineMs - beganMs).toBeGreaterThanOrEqual(handshakeMs);
    expect(deadlineMs - beganMs).toBeLessThan(handshakeMs + 1_000);
  });

  it("has no further step, not with the right code either", async () => {
    const { hid } = await silenced();
    const error = await say(hid, 3, "c", "right").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServiceError);
  });

  it("comes back over another connection to the same silence, and to no longer one", async () => {
    const { hid, silence } = await silenced();
    world.advance(1_000);
    expect(await open(freshHid(), hid)).toEqual(silence);
  });

  it("comes back to silence also where what they came in by is gone, which would be a word", async () => {
    const { hid, silence } = await silenced();
    await enrol();
    expect(await open(freshHid(), hid)).toEqual(silence);
  });
});

describe("in offered mode", () => {
  beforeEach(() => socket("offered"));

  it("the offer that was one too many is met like the one before: no word, and the same end", async () => {
    const hid = freshHid();
    await open(hid);
    const nothing = await say(hid, 1, null, "wrong");
    const silence = await say(hid, 2, null, "wrong");
    expect([nothing.say, silence.say]).toEqual(["nothing", "silent"]);
    const endOf = (outcome: Outcome) => ("deadlineMs" in outcome ? outcome.deadlineMs : null);
    expect(endOf(silence)).toBe(endOf(nothing));
  });
});

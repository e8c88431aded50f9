import {
  createMember,
  createSocket,
  enrolAuthenticator,
  identityOpen,
  identityStep,
  type Outcome,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freshHid, opening } from "./support/handshake.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
const path = "a-path-of-its-own";
const label = "one";
const gates = [{ gate: "otp" }, { gate: "otp", of: "socket" }];
const denied: Outcome = { say: "denied", retryAfterMs: null, sealed: true };

interface Offered {
  readonly gate: string;
  readonly value: string;
  readonly at: string | null;
}
const first = (value: string): Offered => ({ gate: "otp", value, at: "0" });
const second = (value: string): Offered => ({ gate: "otp", value, at: "1" });

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  const { ownerId } = await world.owner();
  const policy = { gates, mode: "offered", onFailure: { attempts: 3, free: 100 } };
  const { id: socketId } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
  const contacts = { email: null, phone: null };
  await world.api.call(createMember, { ownerId, socketId, name: "bob", contacts, passphrase: null });
  await world.api.call(enrolAuthenticator, { ownerId, socketId, memberName: "bob" });
  await world.api.call(enrolAuthenticator, { ownerId, socketId, memberName: null });
});
afterEach(() => world.close());

const open = (hid: string, answers: readonly Offered[] = []) =>
  world.keysCaller.call(identityOpen, opening({ hid, label, path, query: "id=bob", answers: [...answers] }));
const offer = (hid: string, n: number, ...answers: readonly Offered[]) =>
  world.keysCaller.call(identityStep, {
    handshake: hid,
    hid,
    transcript: new Uint8Array(32),
    n,
    keyLive: true,
    action: { do: "offer", answers: [...answers], parameters: {} },
  });

describe("offers", () => {
  it("add up, statement by statement, in any order, and what was right stays right", async () => {
    const hid = freshHid();
    expect(await open(hid)).toMatchObject({ say: "nothing" });
    expect(await offer(hid, 1, first("wrong"), second("wrong"))).toMatchObject({ say: "nothing" });
    const other = freshHid();
    expect(await open(other, [first("right")])).toMatchObject({ say: "nothing" });
    expect(await offer(other, 1, second("wrong"))).toMatchObject({ say: "nothing" });
    expect(await offer(other, 2, second("right"))).toMatchObject({ say: "accepted", gates: ["otp"] });
    // Of what another connection got right, nothing counts here.
    expect(await offer(hid, 2, second("right"))).toEqual(denied);
  });

  it("get the very same silence whether half of them was right, all was wrong, or it was for no gate at all", async () => {
    const said: unknown[] = [];
    for (const answers of [
      [first("right")],
      [first("right"), second("wrong")],
      [first("wrong")],
      [{ gate: "otp", value: "right", at: "9" }],
      [{ gate: "email", value: "right", at: null }],
    ]) {
      const hid = freshHid();
      said.push([await open(hid, answers), await offer(hid, 1, first("wrong"))]);
      const opened = freshHid();
      said.push([await open(opened), await offer(opened, 1, ...answers)]);
    }
    const silence = said.map((pair) => JSON.stringify(pair));
    expect(silence[0]).toContain('"say":"nothing"');
    expect(new Set(silence).size).toBe(1);
  });

  it("end in the one denial: wrong for the last time, or never enough before the deadline", async () => {
    const wrong = freshHid();
    await open(wrong);
    await offer(wrong, 1, first("wrong"));
    await offer(wrong, 2, first("wrong"));
    expect(await offer(wrong, 3, first("wrong"))).toEqual(denied);
    const half = freshHid();
    await open(half, [first("right")]);
    await offer(half, 1, second("wrong"));
    await offer(half, 2, second("wrong"));
    expect(await offer(half, 3, second("wrong"))).toEqual(denied);
    const late = freshHid();
    await open(late, [first("right")]);
    world.advance(120_000);
    expect(await offer(late, 1, second("right"))).toEqual(denied);
  });

  it("are taken once: repeated at once on two replicas, one is counted and looked at", async () => {
    const hid = freshHid();
    await open(hid);
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => offer(hid, 1, first("wrong"))));
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
    await offer(hid, 2, first("wrong"));
    expect(await offer(hid, 3, first("right"), second("right"))).toMatchObject({ say: "accepted" });
  });

  it("go on at another edge where they were", async () => {
    const hid = freshHid();
    await open(hid, [first("right")]);
    const there = freshHid("edge-2");
    const comeback = opening({ hid: there, label, path, query: "id=bob", parked: hid });
    expect(await world.keysCaller.call(identityOpen, comeback)).toMatchObject({ say: "nothing" });
    const taken = await world.keysCaller.call(identityStep, {
      handshake: hid,
      hid: there,
      transcript: new Uint8Array(32),
      n: 1,
      keyLive: true,
      action: { do: "offer", answers: [second("right")], parameters: {} },
    });
    expect(taken).toMatchObject({ say: "accepted" });
  });
});

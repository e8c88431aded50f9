import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { keyAndOtp, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { bareDenied, closeOf } from "./support/closes.ts";
import { knock } from "./support/knock.ts";

vi.setConfig({ testTimeout: 10_000 });

/** Attempts per handshake, and the ceiling of an authenticator over all of them. What failing costs before that is in penalties.test.ts. */
const failuresMax = 5;
const attempts = 3;

let world: World;
let bystanders: Bystanders;
let socket: OwnedSocket;
let verified = 0;
beforeAll(async () => {
  world = await startWorld({
    env: { OTP_FAILURES_MAX: String(failuresMax) },
    onRoundTrip: (name) => {
      if (name === "factors.verify") verified += 1;
    },
  });
  bystanders = await startBystanders(world);
  const deadlines = { answer: "10m", handshake: "60m" };
  socket = await makeSocket(world.owner, { ...keyAndOtp, onFailure: { attempts }, deadlines });
});
afterEach(() => bystanders.undisturbed());
afterAll(async () => {
  await bystanders.leave();
  await world.close();
});

const urlOf = (name: string): string => `${socket.url}?id=${name}`;
/** Six digits that are no code of this member now. */
const wrongCode = (phone: Authenticator): string => {
  const near = [-60_000, -30_000, 0, 30_000, 60_000].map((driftMs) => phone.code(world.now() + driftMs));
  return ["000000", "111111", "222222", "333333", "444444", "555555"].find((code) => !near.includes(code)) ?? "";
};

/** @returns how many wrong codes could be tried before the denial. */
async function guess(name: string, phone: Authenticator, most: number): Promise<number> {
  const attacker = await knock(urlOf(name), { appKey: socket.appKey });
  for (let n = 1; n <= most; n += 1) {
    const plaintext = await attacker.hear();
    if (plaintext?.t !== "challenge") return n - 1;
    await attacker.say({ n, t: "answer", cid: plaintext.cid, gate: "otp", value: wrongCode(phone) });
  }
  const last = await attacker.hear();
  attacker.leave();
  return last?.t === "denied" ? most : most + 1;
}

const opensWith = async (name: string, code: string): Promise<boolean> => {
  const attacker = await knock(urlOf(name), { appKey: socket.appKey, answers: [{ gate: "otp", value: code }] });
  const plaintext = await attacker.hear();
  attacker.leave();
  return plaintext?.t === "accepted";
};

describe("in one handshake", () => {
  test("as many wrong codes are looked at as the policy says, and each is told how many are left", async () => {
    const phone = await makeMember(world.owner, socket, "one");
    const attacker = await knock(urlOf("one"), { appKey: socket.appKey });
    const before = verified;
    for (let n = 1; n <= attempts; n += 1) {
      const { cid, attemptsLeft, retry } = await attacker.challenge();
      expect({ attemptsLeft, retry }).toEqual({ attemptsLeft: attempts - n + 1, retry: n > 1 });
      await attacker.say({ n, t: "answer", cid, gate: "otp", value: wrongCode(phone) });
    }
    expect(await attacker.hear()).toEqual({ n: attempts + 1, t: "denied", code: "denied" });
    expect(await attacker.closed).toEqual(closeOf("denied"));
    expect(verified - before).toBe(attempts);
  });

  test("no other way of answering gives more: boxes, other gates, other positions and old challenges count", async () => {
    const phone = await makeMember(world.owner, socket, "two");
    const before = verified;
    const value = wrongCode(phone);
    const attacker = await knock(urlOf("two"), { appKey: socket.appKey, answers: [{ gate: "otp", value }] });
    const { cid, attemptsLeft } = await attacker.challenge();
    expect(attemptsLeft).toBe(attempts - 1);
    await attacker.say({ n: 1, t: "answer", cid, gate: "email", value });
    const second = await attacker.challenge();
    expect(second.attemptsLeft).toBe(attempts - 2);
    await attacker.say({ n: 2, t: "answer", cid, gate: "otp", value: phone.code(world.now()) });
    expect(await attacker.hear()).toMatchObject({ t: "denied" });
    expect(verified - before).toBe(1);
  });

  test.each(["", "0", "00000", "0000000", "00000٠", " 000000", "000000\n", "1e5", "-00001", "A".repeat(4_096)])(
    "what is no code at all is one wrong code: %j",
    async (value) => {
      const name = `odd-${Buffer.from(value).subarray(0, 16).toString("hex")}`;
      await makeMember(world.owner, socket, name);
      const attacker = await knock(urlOf(name), { appKey: socket.appKey, answers: [{ gate: "otp", value }] });
      expect(await attacker.hear()).toMatchObject({ t: "challenge", retry: true, attemptsLeft: attempts - 1 });
      attacker.leave();
    },
  );
});

describe("over many handshakes", () => {
  test("wrong codes of one authenticator add up; past the ceiling the right one opens nothing until it is enrolled anew", async () => {
    const phone = await makeMember(world.owner, socket, "three");
    expect(await guess("three", phone, attempts)).toBe(attempts);
    expect(await guess("three", phone, failuresMax - attempts)).toBeGreaterThan(0);
    expect(await opensWith("three", phone.code(world.now()))).toBe(false);
    await world.owner.delete(`/v1/sockets/${socket.id}/members/three/authenticator`);
    await world.owner.delete(`/v1/sockets/${socket.id}/members/three`);
    const anew = await makeMember(world.owner, socket, "three");
    expect(await opensWith("three", anew.code(world.now()))).toBe(true);
  });

  test("at once is no better than one after the other", async () => {
    const phone = await makeMember(world.owner, socket, "four");
    const knocks = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const attacker = await knock(urlOf("four"), { appKey: socket.appKey });
        return { attacker, cid: (await attacker.challenge()).cid };
      }),
    );
    const answerWith = (value: string) =>
      knocks.map(({ attacker, cid }) => attacker.say({ n: 1, t: "answer", cid, gate: "otp", value }));
    await Promise.all(answerWith(wrongCode(phone)));
    for (const { attacker } of knocks) {
      expect((await attacker.hear())?.t).toBe("challenge");
      attacker.leave();
    }
    expect(await opensWith("four", phone.code(world.now()))).toBe(false);
  });

  test("a success in between forgives, and other members pay for nothing", async () => {
    const phone = await makeMember(world.owner, socket, "five");
    const other = await makeMember(world.owner, socket, "six");
    await guess("five", phone, attempts);
    expect(await opensWith("five", phone.code(world.now()))).toBe(true);
    await guess("five", phone, attempts);
    world.advance(30_000);
    await world.fresh();
    expect(await opensWith("five", phone.code(world.now()))).toBe(true);
    expect(await opensWith("six", other.code(world.now()))).toBe(true);
  });

  test("without the key no guess is even looked at, so a stranger can neither guess nor use up anybody's attempts", async () => {
    const phone = await makeMember(world.owner, socket, "seven");
    const stranger = await makeSocket(world.owner);
    const before = verified;
    for (let n = 0; n < failuresMax + 5; n += 1) {
      const attacker = await knock(urlOf("seven"), {
        appKey: stranger.appKey,
        answers: [{ gate: "otp", value: n % 2 === 0 ? wrongCode(phone) : phone.code(world.now()) }],
      });
      expect(await attacker.next()).toBe(bareDenied);
      expect(await attacker.closed).toEqual(closeOf("denied"));
    }
    expect(verified).toBe(before);
    expect(await opensWith("seven", phone.code(world.now()))).toBe(true);
  });
});

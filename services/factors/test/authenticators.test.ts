import {
  type AuthenticatorSubject,
  checkCode,
  confirmSecret,
  forgetSecret,
  forgetSocketSecrets,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Authenticator, bob, type Factors, startFactors } from "./harness.ts";

const ada: AuthenticatorSubject = { of: "owner", ownerId: "ada" };
let factors: Factors;
let requests = 0;
beforeEach(async () => {
  factors = await startFactors();
});
afterEach(() => factors.stop());

const check = async (subject: AuthenticatorSubject, code: string, requestId = `q${requests++}`) =>
  (await factors.identity.call(checkCode, { subject, code, requestId })).ok;
const confirm = async (subject: AuthenticatorSubject, code: string) =>
  (await factors.identity.call(confirmSecret, { subject, code })).ok;
const forget = async (subject: AuthenticatorSubject) =>
  (await factors.identity.call(forgetSecret, { subject })).existed;

describe("an authenticator", () => {
  it("has a secret of 160 bits, new with each enrolment", async () => {
    const [first, second] = [await factors.enrol(ada), await factors.enrol(ada)];
    expect(first.secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(second.secret).not.toBe(first.secret);
    expect(await check(ada, await first.code())).toBe(false);
    expect(await check(ada, await second.code())).toBe(true);
  });

  it("that is not confirmed counts for nothing, and the old one stays in force until it is", async () => {
    const old = await factors.enrol(ada);
    const next = await factors.enrol(ada, false);
    expect(await check(ada, await next.code())).toBe(false);
    expect(await check(ada, await old.code())).toBe(true);
    expect(await confirm(ada, await next.wrong())).toBe(false);
    expect(await confirm(ada, await old.code(1))).toBe(false);
    expect(await confirm(ada, await next.code())).toBe(true);
    factors.advance(30_000);
    expect(await check(ada, await old.code())).toBe(false);
    expect(await check(ada, await next.code())).toBe(true);
  });

  it("is confirmed once, and the code is used up by it", async () => {
    const app = await factors.enrol(ada, false);
    const code = await app.code();
    const confirmed = await Promise.all(Array.from({ length: 10 }, () => confirm(ada, code)));
    expect(confirmed.filter((done) => done)).toHaveLength(1);
    expect(await check(ada, code)).toBe(false);
    expect(await confirm(ada, await app.code(1))).toBe(false);
  });

  it("that is replaced while its code is looked at is not confirmed, and the one in its place neither", async () => {
    const first = await factors.enrol(ada, false);
    const second = Promise.withResolvers<Authenticator>();
    const advance = factors.state.advance.bind(factors.state);
    factors.state.advance = async (...mark) => {
      factors.state.advance = advance;
      const isFirst = await advance(...mark);
      second.resolve(await factors.enrol(ada, false));
      return isFirst;
    };
    await expect(confirm(ada, await first.code())).rejects.toMatchObject({ code: "conflict" });
    for (const app of [first, await second.promise]) expect(await check(ada, await app.code(1))).toBe(false);
  });

  it("that waits is replaced by the next that waits", async () => {
    const [first, second] = [await factors.enrol(ada, false), await factors.enrol(ada, false)];
    expect(await confirm(ada, await first.code())).toBe(false);
    expect(await confirm(ada, await second.code())).toBe(true);
  });

  it("that waits goes when one is put in force directly", async () => {
    const waiting = await factors.enrol(ada, false);
    const direct = await factors.enrol(ada);
    expect(await confirm(ada, await waiting.code())).toBe(false);
    expect(await check(ada, await direct.code())).toBe(true);
  });

  it("enrolled by many at once is the one of whoever was last, and the others get no code in", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => factors.enrol(ada)));
    const apps = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    expect(apps.length).toBeGreaterThan(0);
    const accepted = [];
    for (const app of apps) if (await check(ada, await app.code())) accepted.push(app);
    expect(accepted).toHaveLength(1);
  });

  it("answers a repeated check alike, and another one with the same code not", async () => {
    const code = await (await factors.enrol(ada)).code();
    expect(await check(ada, code, "sign-in-1")).toBe(true);
    expect(await check(ada, code, "sign-in-1")).toBe(true);
    expect(await check(ada, code, "sign-in-2")).toBe(false);
  });

  it("is no more once it is forgotten, active or waiting", async () => {
    const app = await factors.enrol(ada);
    expect(await forget(ada)).toBe(true);
    expect(await forget(ada)).toBe(false);
    expect(await check(ada, await app.code())).toBe(false);
    const waiting = await factors.enrol(ada, false);
    expect(await forget(ada)).toBe(true);
    expect(await confirm(ada, await waiting.code())).toBe(false);
  });

  it("goes with its socket, and nobody else's does", async () => {
    const subjects: AuthenticatorSubject[] = [
      { of: "socket", socketId: "s1" },
      ...Array.from(
        { length: 510 },
        (_, n): AuthenticatorSubject => ({ of: "member", socketId: "s1", member: `m${n}` }),
      ),
    ];
    for (const subject of subjects) await factors.enrol(subject);
    const kept = [await factors.enrol(bob("s2")), await factors.enrol(ada)];
    await factors.identity.call(forgetSocketSecrets, { socketId: "s1" });
    expect((await Promise.all(subjects.map(forget))).filter((existed) => existed)).toEqual([]);
    expect(await check(bob("s2"), (await kept[0]?.code()) ?? "")).toBe(true);
    expect(await check(ada, (await kept[1]?.code()) ?? "")).toBe(true);
    await factors.identity.call(forgetSocketSecrets, { socketId: "s1" });
  });

  it("is kept apart for subjects whose names run together", async () => {
    const [ab, a] = [
      await factors.enrol({ of: "member", socketId: "ab", member: "c" }),
      await factors.enrol({ of: "member", socketId: "a", member: "bc" }),
    ];
    expect(await check({ of: "member", socketId: "a", member: "bc" }, await ab.code())).toBe(false);
    expect(await check({ of: "member", socketId: "a", member: "bc" }, await a.code())).toBe(true);
    expect(await check({ of: "member", socketId: "ab", member: "c" }, await ab.code())).toBe(true);
  });
});

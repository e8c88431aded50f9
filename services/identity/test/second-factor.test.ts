import {
  authenticate,
  beginOwnerAuthenticator,
  changePassword,
  confirmOwnerAuthenticator,
  forgotPassword,
  removeOwnerAuthenticator,
  renewRecoveryCodes,
  resetPassword,
  signIn,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import { type Owner as Owned, openAccountStore } from "../src/accounts/store.ts";
import { address, codeOf, refusal, startWorld, type World } from "./support/world.ts";

type Owner = Awaited<ReturnType<World["owner"]>>;
type SecondFactor = { readonly kind: "code" | "recovery"; readonly value: string };

let world: World;
let ann: Owner;
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  ann = await world.verifiedOwner();
});
afterEach(() => world.close());

const begin = (password = ann.password) => world.api.call(beginOwnerAuthenticator, { ownerId: ann.ownerId, password });
const confirm = (value: string) =>
  world.api.call(confirmOwnerAuthenticator, { ownerId: ann.ownerId, code: value, keepSessionId: ann.sessionId });
async function enrolled(): Promise<string[]> {
  await begin();
  const { recoveryCodes } = await confirm(world.factors.code);
  world.factors.code = "654321";
  return recoveryCodes;
}
const enter = (secondFactor: SecondFactor | null, { from = address(), password = ann.password } = {}) =>
  world.api.call(signIn, { email: ann.email, password, secondFactor, address: from, userAgent: "test" });
const code = (value: string): SecondFactor => ({ kind: "code", value });
const recovery = (value: string): SecondFactor => ({ kind: "recovery", value });

describe("a second factor", () => {
  it("counts for nothing until it is confirmed, and is required at every sign-in from then on", async () => {
    await begin();
    await enter(null);
    expect(await refusal(confirm("000000"))).toMatchObject({ code: "invalid", issues: [{ path: "code" }] });
    await enter(null);
    await enrolled();
    expect(await codeOf(enter(null))).toBe("second_factor_required");
    expect(await codeOf(enter(code("000000")))).toBe("unauthenticated");
    await enter(code("654321"));
    expect(await codeOf(enter(code("654321")))).toBe("unauthenticated");
  });

  it("is asked for only where the password is right", async () => {
    await enrolled();
    expect(await codeOf(enter(null, { password: "not the password" }))).toBe("unauthenticated");
    expect(await codeOf(enter(code("654321"), { password: "not the password" }))).toBe("unauthenticated");
    // And was not used up by that.
    await enter(code("654321"));
  });

  it("that is confirmed while somebody signs in without it lets them in no more", async () => {
    await begin();
    const { wait, reached, open } = gate();
    const stop = world.before("identity_web_sessions.insert", wait);
    const entering = codeOf(enter(null));
    await reached;
    stop();
    await confirm(world.factors.code);
    open();
    expect(await entering).toBe("unauthenticated");
    const store = await openAccountStore(world.platform.documents);
    expect(await store.webSessions.count({ ownerId: ann.ownerId })).toBe(1);
  });

  it("ends what was opened without it, and keeps the session that confirmed it", async () => {
    const other = await enter(null);
    await enrolled();
    const isLive = async (secret: string) =>
      (await codeOf(world.api.call(authenticate, { kind: "session", secret }))) === null;
    expect([await isLive(ann.secret), await isLive(other.secret)]).toEqual([true, false]);
  });

  it("that is confirmed while a password is reset without it leaves the password as it was", async () => {
    await begin();
    const before = world.mails.length;
    world.advance(60_001);
    await world.api.call(forgotPassword, { email: ann.email, address: address() });
    const token = await world.mailed(/Reset/, ann.email, before);
    // The reset has found that no second factor is wanted.
    const { wait, reached, open } = gate();
    const stop = world.before("state.create", wait);
    const resetting = codeOf(
      world.api.call(resetPassword, { token, next: "quite another passphrase", secondFactor: null }),
    );
    await reached;
    stop();
    await confirm(world.factors.code);
    open();
    expect(await resetting).toBe("conflict");
    expect(await codeOf(enter(null))).toBe("second_factor_required");
  });

  it("ends guessing after five wrong codes, without locking out the owner elsewhere", async () => {
    await enrolled();
    const from = address();
    const codes = await Promise.all(Array.from({ length: 8 }, () => codeOf(enter(code("000000"), { from }))));
    // Those that came too late for the password's own limit never got to the code.
    expect(codes.filter((each) => each === "unauthenticated").length).toBeLessThanOrEqual(5);
    for (let n = 0; n < 6; n += 1) await codeOf(enter(code("000000"), { from }));
    expect(await codeOf(enter(code("654321"), { from }))).toBe("too_many");
    await enter(code("654321"));
  });

  it("is not wrong because the service that checks it is away", async () => {
    await enrolled();
    world.factors.down = true;
    const from = address();
    for (let n = 0; n < 8; n += 1) expect(await codeOf(enter(code("654321"), { from }))).toBe("unavailable");
    world.factors.down = false;
    await enter(code("654321"), { from });
  });

  it("cannot be begun or confirmed again while there is one", async () => {
    await enrolled();
    expect(await codeOf(begin())).toBe("conflict");
    expect(await codeOf(confirm("654321"))).toBe("conflict");
  });

  it("guesses at confirming end after five", async () => {
    await begin();
    const codes: (string | null)[] = [];
    for (let n = 0; n < 7; n += 1) codes.push(await codeOf(confirm("000000")));
    expect(codes).toEqual([...Array(5).fill("invalid"), "too_many", "too_many"]);
  });
});

describe("a change to the account's security", () => {
  const next = "quite another passphrase";
  const change = (current: string, secondFactor: SecondFactor | null = null, to = next) =>
    world.api.call(changePassword, {
      ownerId: ann.ownerId,
      current,
      next: to,
      secondFactor,
      keepSessionId: ann.sessionId,
    });

  it("needs the password again, and guessing at it ends after five", async () => {
    expect(await codeOf(begin("not the password"))).toBe("reauthentication_failed");
    for (let n = 0; n < 4; n += 1) expect(await codeOf(change("not the password"))).toBe("reauthentication_failed");
    expect(await codeOf(change(ann.password))).toBe("too_many");
    expect(await codeOf(begin())).toBe("too_many");
    // Separate counters: whoever holds a stolen session must not lock the owner's sign-in.
    await enter(null);
    // And other owners do not pay for it.
    const bob = await world.verifiedOwner();
    await world.api.call(beginOwnerAuthenticator, { ownerId: bob.ownerId, password: bob.password });
  });

  it("needs the second factor where there is one", async () => {
    const [first = ""] = await enrolled();
    const remove = (secondFactor: SecondFactor) =>
      world.api.call(removeOwnerAuthenticator, { ownerId: ann.ownerId, password: ann.password, secondFactor });
    const renew = (value: string) =>
      world.api.call(renewRecoveryCodes, { ownerId: ann.ownerId, password: ann.password, code: value });
    expect(await codeOf(change(ann.password))).toBe("second_factor_required");
    expect(await codeOf(change(ann.password, code("000000")))).toBe("reauthentication_failed");
    expect(await codeOf(renew("000000"))).toBe("reauthentication_failed");
    expect(await codeOf(remove(code("000000")))).toBe("reauthentication_failed");
    await remove(recovery(first));
    expect(world.factors.active.size).toBe(0);
    await enter(null);
    expect([await codeOf(remove(recovery(first))), await codeOf(renew("654321"))]).toEqual(["not_found", "not_found"]);
  });

  it("ends every other session with the password, and keeps the one that did it", async () => {
    const other = await enter(null);
    await change(ann.password);
    const isLive = async (secret: string) =>
      (await codeOf(world.api.call(authenticate, { kind: "session", secret }))) === null;
    expect([await isLive(ann.secret), await isLive(other.secret)]).toEqual([true, false]);
    expect(await codeOf(enter(null))).toBe("unauthenticated");
    await enter(null, { password: next });
  });

  it("ends the other sessions even if the process dies right after the password is written", async () => {
    const other = await enter(null);
    const stop = world.after("identity_owners.replace", () => {
      throw new Error("died");
    });
    expect(await codeOf(change(ann.password))).toBe("internal");
    stop();
    expect(await codeOf(world.api.call(authenticate, { kind: "session", secret: other.secret }))).toBe(
      "unauthenticated",
    );
    await enter(null, { password: next });
  });

  it("happens once where two are made at once under the same old password", async () => {
    const codes = await Promise.all([
      codeOf(change(ann.password, null, "the first new passphrase")),
      codeOf(change(ann.password, null, "the second new passphrase")),
    ]);
    expect(codes.filter((each) => each === null)).toHaveLength(1);
  });

  it("takes a shorter password beside a second factor, and says what is wrong with a bad one", async () => {
    const [first = ""] = await enrolled();
    expect(await refusal(change(ann.password, recovery(first), "short"))).toMatchObject({
      code: "invalid",
      issues: [{ path: "password", message: "needs at least 8 characters" }],
    });
    // The code was not used up by that.
    await change(ann.password, recovery(first), "kzv7womb");
  });

  it("leaves no short password alone: it is changed before the second factor goes", async () => {
    const [first = "", second = "", third = ""] = await enrolled();
    await change(ann.password, recovery(first), "kzv7womb");
    const remove = (password: string) =>
      world.api.call(removeOwnerAuthenticator, { ownerId: ann.ownerId, password, secondFactor: recovery(second) });
    expect(await refusal(remove("kzv7womb"))).toMatchObject({
      code: "invalid",
      issues: [{ path: "password", message: "needs at least 15 characters" }],
    });
    await change("kzv7womb", recovery(third));
    // The code was not used up by the refusal.
    await remove(next);
    await enter(null, { password: next });
  });
});

describe("recovery codes", () => {
  it("are ten of 80 bits, kept as hashes", async () => {
    const codes = await enrolled();
    expect(new Set(codes).size).toBe(10);
    for (const each of codes) expect(each).toMatch(/^([a-z2-9]{4}-){3}[a-z2-9]{4}$/);
    const store = await openAccountStore(world.platform.documents);
    const stored = JSON.stringify(await store.owners.get(ann.ownerId));
    for (const each of codes) expect(stored).not.toContain(each.replaceAll("-", ""));
  });

  it("work once each, however many present one at once on two replicas, and however it is typed", async () => {
    const [first = "", second = ""] = await enrolled();
    const all = await Promise.all(Array.from({ length: 10 }, () => codeOf(enter(recovery(first)))));
    expect(all.filter((each) => each === null)).toHaveLength(1);
    expect(await codeOf(enter(recovery(first)))).toBe("unauthenticated");
    await enter(recovery(` ${second.toUpperCase().replaceAll("-", " ")} `));
  });

  it("work once also on an engine whose compare-and-set lets both writers through", async () => {
    const [first = ""] = await enrolled();
    const { owners } = await openAccountStore(world.platform.documents);
    const careless = world.instead("identity_owners.replace", async (id: string, _version: number, body: Owned) => {
      for (;;) {
        const now = await owners.get(id);
        const written = await owners.replace(id, now?.version ?? 0, body);
        if (written !== null) return written;
      }
    });
    const readers = [gate(), gate()];
    const stop = world.before("identity_used_recovery_codes.insert", (replica) => readers[replica]?.wait());
    const entering = [codeOf(enter(recovery(first))), codeOf(enter(recovery(first)))];
    await Promise.all(readers.map(({ reached }) => reached));
    stop();
    for (const { open } of readers) open();
    expect((await Promise.all(entering)).filter((each) => each === null)).toHaveLength(1);
    careless();
  });

  it("are void once they are renewed, and what was used of them is forgotten", async () => {
    const [old = "", used = ""] = await enrolled();
    await enter(recovery(used));
    const { recoveryCodes } = await world.api.call(renewRecoveryCodes, {
      ownerId: ann.ownerId,
      password: ann.password,
      code: "654321",
    });
    expect(await codeOf(enter(recovery(old)))).toBe("unauthenticated");
    await enter(recovery(recoveryCodes[0] ?? ""));
    const { usedRecoveryCodes } = await openAccountStore(world.platform.documents);
    expect(await usedRecoveryCodes.count({ ownerId: ann.ownerId })).toBe(1);
  });

  it("of somebody else are none", async () => {
    const [first = ""] = await enrolled();
    const bob = await world.verifiedOwner();
    await world.api.call(beginOwnerAuthenticator, { ownerId: bob.ownerId, password: bob.password });
    await world.api.call(confirmOwnerAuthenticator, {
      ownerId: bob.ownerId,
      code: "654321",
      keepSessionId: bob.sessionId,
    });
    const as = { email: bob.email, password: bob.password, address: address(), userAgent: "test" };
    expect(await codeOf(world.api.call(signIn, { ...as, secondFactor: recovery(first) }))).toBe("unauthenticated");
    await enter(recovery(first));
  });
});

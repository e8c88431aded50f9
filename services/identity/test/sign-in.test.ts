import {
  authenticate,
  changePassword,
  createApiToken,
  forgotPassword,
  listApiTokens,
  listWebSessions,
  revokeApiToken,
  revokeWebSession,
  signIn,
  signOut,
  signUp,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import { openAccountStore } from "../src/accounts/store.ts";
import { address, cheapPasswords, codeOf, goodPassword, refusal, startWorld, type World } from "./support/world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
});
afterEach(() => world.close());

const hourMs = 3_600_000;
const enter = (email: string, password: string, from = address()) =>
  world.api.call(signIn, { email, password, secondFactor: null, address: from, userAgent: "browser" });
const authenticated = (secret: string, kind: "session" | "token" = "session") =>
  world.api.call(authenticate, { kind, secret });
const isLive = async (secret: string) => (await codeOf(authenticated(secret))) === null;

describe("signing in", () => {
  it("says the same for an unknown address and a wrong password, after the same hashing", async () => {
    const matched: (string | null)[] = [];
    const cheap = cheapPasswords();
    await world.close();
    world = await startWorld({
      passwords: {
        ...cheap,
        matches: (stored, password) => {
          matched.push(stored === null ? null : "stored");
          return cheap.matches(stored, password);
        },
      },
    });
    await world.api.call(signUp, {
      email: "ann@x.y",
      password: goodPassword,
      bootstrapToken: null,
      invitationToken: null,
      address: address(),
    });
    const unknown = await refusal(enter("bob@x.y", goodPassword));
    const wrong = await refusal(enter("ann@x.y", "not the right password"));
    expect(unknown).toEqual(wrong);
    expect(unknown).toEqual({ code: "unauthenticated", issues: [] });
    expect(matched).toEqual([null, "stored"]);
  });

  it("ends after five wrong ones from one network, whether or not there is such an account", async () => {
    const { email, password } = await world.owner();
    for (const account of [email, "nobody@example.com"]) {
      const from = address();
      const codes = await Promise.all(Array.from({ length: 9 }, () => codeOf(enter(account, "wrong wrong", from))));
      expect(codes.filter((code) => code === "unauthenticated")).toHaveLength(5);
      expect(await codeOf(enter(account, password, from))).toBe("too_many");
    }
    await enter(email, password);
  });

  it("forgives what was mistyped before", async () => {
    const { email, password } = await world.owner();
    const from = address();
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 4; n += 1) await codeOf(enter(email, "wrong wrong", from));
      await enter(email, password, from);
    }
  });

  it("does not outlive a password that is changed while it goes on", async () => {
    const { email, password, ownerId } = await world.owner();
    // The old password was found right; the session is not written yet.
    const { wait, reached, open } = gate();
    const stop = world.before("identity_web_sessions.insert", wait);
    const entering = enter(email, password);
    await reached;
    stop();
    await world.api.call(changePassword, {
      ownerId,
      current: password,
      next: "quite another passphrase",
      secondFactor: null,
      keepSessionId: null,
    });
    open();
    const session = await entering.catch(() => null);
    expect(session === null || !(await isLive(session.secret))).toBe(true);
  });
});

describe("a web session", () => {
  it("is kept as a hash, and what is kept opens nothing", async () => {
    const { secret, sessionId } = await world.owner();
    expect(secret).toMatch(/^pcs_[A-Za-z0-9_-]{43}$/);
    const store = await openAccountStore(world.platform.documents);
    const stored = await store.webSessions.get(sessionId);
    expect(JSON.stringify(stored)).not.toContain(secret.slice(4));
    expect(await isLive(secret)).toBe(true);
    expect(await isLive(stored?.body.secretHash ?? "")).toBe(false);
    expect(await codeOf(authenticated(secret, "token"))).toBe("unauthenticated");
  });

  it("ends after an hour without use, and after a day in any case", async () => {
    const { secret, email, password } = await world.owner();
    world.advance(hourMs);
    expect(await isLive(secret)).toBe(true);
    world.advance(hourMs + 1);
    expect(await isLive(secret)).toBe(false);
    const used = await enter(email, password);
    for (let n = 0; n < 47; n += 1) {
      world.advance(hourMs / 2);
      expect(await isLive(used.secret), `after ${n} half hours`).toBe(true);
    }
    world.advance(hourMs / 2);
    expect(await isLive(used.secret)).toBe(false);
  });

  it("is listed with browser and address, and ended from another one; nobody ends what is not theirs", async () => {
    const ann = await world.owner();
    const eve = await world.owner();
    const second = await enter(ann.email, ann.password, "192.0.2.7");
    const { sessions } = await world.api.call(listWebSessions, { ownerId: ann.ownerId });
    expect(sessions.find(({ id }) => id === second.sessionId)).toMatchObject({
      userAgent: "browser",
      address: "192.0.2.7",
    });
    const revoke = (ownerId: string) =>
      codeOf(world.api.call(revokeWebSession, { ownerId, sessionId: second.sessionId }));
    expect(await revoke(eve.ownerId)).toBe("not_found");
    expect(await isLive(second.secret)).toBe(true);
    expect(await revoke(ann.ownerId)).toBe(null);
    expect(await isLive(second.secret)).toBe(false);
    expect(await isLive(ann.secret)).toBe(true);
    expect(await revoke(ann.ownerId)).toBe("not_found");
  });

  it("is signed out by its owner only, and twice is once", async () => {
    const ann = await world.owner();
    const eve = await world.owner();
    const leave = (ownerId: string) => codeOf(world.api.call(signOut, { ownerId, sessionId: ann.sessionId }));
    expect(await leave(eve.ownerId)).toBe(null);
    expect(await isLive(ann.secret)).toBe(true);
    expect([await leave(ann.ownerId), await leave(ann.ownerId)]).toEqual([null, null]);
    expect(await isLive(ann.secret)).toBe(false);
  });

  it("gives way to the hundredth after it", async () => {
    const { secret, email, password, ownerId } = await world.owner();
    const later: { secret: string }[] = [];
    for (let n = 0; n < 100; n += 1) {
      world.advance(10);
      later.push(await enter(email, password));
    }
    expect(await isLive(secret)).toBe(false);
    expect(await isLive(later[0]?.secret ?? "")).toBe(true);
    expect((await world.api.call(listWebSessions, { ownerId })).sessions).toHaveLength(100);
  });
});

describe("an API token", () => {
  const make = (ownerId: string, expiresAtMs: number | null = null, extra: object = {}) =>
    world.api.call(createApiToken, {
      ownerId,
      password: goodPassword,
      secondFactor: null,
      label: "deploy",
      expiresAtMs,
      ...extra,
    });
  const dayMs = 24 * 3_600_000;

  it("is not made by who has no more than a session: it takes the password and the second factor", async () => {
    const { ownerId } = await world.verifiedOwner();
    expect(await codeOf(make(ownerId, null, { password: "another long passphrase" }))).toBe("reauthentication_failed");
    world.factors.active.add(`owner:${ownerId}`);
    const store = await openAccountStore(world.platform.documents);
    const owner = await store.owners.get(ownerId);
    if (owner === null) throw new Error("no owner");
    await store.owners.replace(ownerId, owner.version, { ...owner.body, secondFactor: true });
    expect(await codeOf(make(ownerId))).toBe("second_factor_required");
    const by = (value: string) => make(ownerId, null, { secondFactor: { kind: "code", value } });
    expect(await codeOf(by("000000"))).toBe("reauthentication_failed");
    expect(await codeOf(by(world.factors.code))).toBe(null);
    // One use.
    expect(await codeOf(by(world.factors.code))).toBe("reauthentication_failed");
    expect((await world.api.call(listApiTokens, { ownerId })).tokens).toHaveLength(1);
  });

  it("is void after a reset of the password, also one that was being made meanwhile, whatever is left to clear away", async () => {
    const { ownerId } = await world.verifiedOwner();
    const before = await make(ownerId);
    const store = await openAccountStore(world.platform.documents);
    const { wait, reached, open: release } = gate();
    const stop = world.before("identity_api_tokens.insert", wait);
    const making = make(ownerId);
    await reached;
    stop();
    // What a reset writes at once; the rest of it never comes.
    const owner = await store.owners.get(ownerId);
    if (owner === null) throw new Error("no owner");
    await store.owners.replace(ownerId, owner.version, { ...owner.body, tokenEpoch: owner.body.tokenEpoch + 1 });
    release();
    for (const { secret } of [before, await making])
      expect(await codeOf(authenticated(secret, "token"))).toBe("unauthenticated");
    expect((await world.api.call(listApiTokens, { ownerId })).tokens).toEqual([]);
    expect(await codeOf(authenticated((await make(ownerId)).secret, "token"))).toBe(null);
  });

  it("is not made on an address that nobody has confirmed: it may be somebody else's", async () => {
    const { ownerId } = await world.owner();
    expect(await refusal(make(ownerId))).toMatchObject({ code: "conflict", issues: [{ path: "email" }] });
  });

  it("ends after 90 days unless it says otherwise, and within a year", async () => {
    const { ownerId } = await world.verifiedOwner();
    expect((await make(ownerId)).token.expiresAtMs).toBe(world.now() + 90 * dayMs);
    expect((await make(ownerId, world.now() + 366 * dayMs)).token.expiresAtMs).toBe(world.now() + 366 * dayMs);
    expect(await refusal(make(ownerId, world.now() + 366 * dayMs + 1))).toMatchObject({
      code: "invalid",
      issues: [{ path: "expiresAt" }],
    });
  });

  it("is one of at most a hundred", async () => {
    const { ownerId } = await world.verifiedOwner();
    for (let n = 0; n < 100; n += 1) await make(ownerId);
    expect(await refusal(make(ownerId))).toMatchObject({ code: "invalid", issues: [{ path: "label" }] });
    const [first] = (await world.api.call(listApiTokens, { ownerId })).tokens;
    await world.api.call(revokeApiToken, { ownerId, tokenId: first?.id ?? "" });
    expect(await codeOf(make(ownerId))).toBe(null);
  });

  it("is kept as a hash, says who its owner is, and is no session", async () => {
    const { ownerId, email } = await world.verifiedOwner();
    const { secret, token } = await make(ownerId);
    expect(secret).toMatch(/^pct_[A-Za-z0-9_-]{43}$/);
    const store = await openAccountStore(world.platform.documents);
    expect(JSON.stringify(await store.apiTokens.get(token.id))).not.toContain(secret.slice(4));
    expect(await authenticated(secret, "token")).toMatchObject({
      ownerId,
      email,
      credential: { kind: "token", id: token.id },
    });
    expect(await codeOf(authenticated(secret, "session"))).toBe("unauthenticated");
    const { tokens } = await world.api.call(listApiTokens, { ownerId });
    expect(tokens).toEqual([{ ...token, lastUsedAtMs: world.now() }]);
  });

  it("ends when it says, and cannot be made for the past", async () => {
    const { ownerId } = await world.verifiedOwner();
    const { secret } = await make(ownerId, world.now() + 1000);
    world.advance(999);
    expect(await codeOf(authenticated(secret, "token"))).toBe(null);
    world.advance(1);
    expect(await codeOf(authenticated(secret, "token"))).toBe("unauthenticated");
    expect(await refusal(make(ownerId, world.now()))).toMatchObject({
      code: "invalid",
      issues: [{ path: "expiresAt" }],
    });
  });

  it("ends when its owner revokes it, and nobody else does", async () => {
    const [ann, eve] = [await world.verifiedOwner(), await world.verifiedOwner()];
    const { secret, token } = await make(ann.ownerId);
    const revoke = (ownerId: string) => codeOf(world.api.call(revokeApiToken, { ownerId, tokenId: token.id }));
    expect(await revoke(eve.ownerId)).toBe("not_found");
    expect(await codeOf(authenticated(secret, "token"))).toBe(null);
    expect(await revoke(ann.ownerId)).toBe(null);
    expect(await codeOf(authenticated(secret, "token"))).toBe("unauthenticated");
  });
});

describe("what is asked of a mailbox that has no account", () => {
  it("does the same writes and gets the same answer", async () => {
    const { email } = await world.verifiedOwner();
    await expect.poll(() => world.jobs.length).toBe(1);
    world.advance(60_001);
    const store = await openAccountStore(world.platform.documents);
    const counts: unknown[] = [];
    for (const mailbox of [email, "nobody@example.com"]) {
      const [mails, jobs] = [await store.mails.count({}), world.jobs.length];
      const reply = await world.api.call(forgotPassword, { email: mailbox, address: address() });
      await expect.poll(() => world.jobs.length).toBe(jobs + 1);
      counts.push({ reply, mails: (await store.mails.count({})) - mails });
    }
    expect(counts[0]).toEqual({ reply: {}, mails: 1 });
    expect(counts[1]).toEqual(counts[0]);
    expect(world.mails.filter(({ subject }) => /Reset/.test(subject)).map(({ to }) => to)).toEqual([email]);
  });
});

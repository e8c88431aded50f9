import {
  authenticate,
  beginOwnerAuthenticator,
  changePassword,
  composeMail,
  confirmOwnerAuthenticator,
  createApiToken,
  forgotPassword,
  resendVerification,
  resetPassword,
  signIn,
  signUp,
  verifyEmail,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openAccountStore } from "../src/accounts/store.ts";
import { address, codeOf, refusal, startWorld, type World } from "./support/world.ts";

type Owner = Awaited<ReturnType<World["owner"]>>;
type SecondFactor = { readonly kind: "code" | "recovery"; readonly value: string };

let world: World;
let ann: Owner;
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  ann = await world.owner("Ann@example.com");
});
afterEach(() => world.close());

const next = "quite another passphrase";
const minuteMs = 60_000;

/** An address gets one mail a minute. */
async function asked(): Promise<string> {
  world.advance(minuteMs + 1);
  const before = world.mails.length;
  await world.api.call(forgotPassword, { email: ann.email, address: address() });
  return world.mailed(/Reset/, ann.email, before);
}
const reset = (token: string, secondFactor: SecondFactor | null = null, to = next) =>
  world.api.call(resetPassword, { token, next: to, secondFactor });
const verify = (token: string, ownerId = ann.ownerId) => world.api.call(verifyEmail, { ownerId, token });
const who = (secret = ann.secret) => world.api.call(authenticate, { kind: "session", secret });
const enter = (password: string) =>
  world.api.call(signIn, { email: ann.email, password, secondFactor: null, address: address(), userAgent: "test" });

describe("a mailed token", () => {
  it("is in the mail only: the job names the mail, and the database holds nothing to make it from", async () => {
    const token = await asked();
    const [mailId = "", mac = ""] = token.split(".");
    expect(mac).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(world.jobs.every((data) => Object.keys(data).join() === "mailId")).toBe(true);
    const store = await openAccountStore(world.platform.documents);
    expect(JSON.stringify(await store.mails.get(mailId))).not.toContain(mac);
    expect(world.mails.at(-1)?.text).toContain("https://p.example/v1/account/password/reset");
  });

  it("is the same however often the mail is composed", async () => {
    const token = await asked();
    const compose = () => world.notify.call(composeMail, { mailId: token.split(".")[0] ?? "" });
    expect((await compose()).mail?.text).toContain(token);
    expect(await compose()).toEqual(await compose());
  });

  it("is whole in the mail as it is written: no line so long that it would have to be encoded", async () => {
    await reset(await asked());
    await world.api.call(signUp, {
      email: ann.email,
      password: next,
      bootstrapToken: null,
      invitationToken: null,
      address: address(),
    });
    world.advance(minuteMs + 1);
    await world.api.call(signUp, {
      email: ann.email,
      password: next,
      bootstrapToken: null,
      invitationToken: null,
      address: address(),
    });
    await expect.poll(() => new Set(world.mails.map(({ subject }) => subject)).size).toBe(4);
    for (const { subject, text } of world.mails)
      for (const line of text.split("\n")) expect(line.length, `${subject}: ${line}`).toBeLessThanOrEqual(76);
  });

  it("for one thing is none for another", async () => {
    const verifying = await world.mailed(/Confirm/, ann.email);
    const resetting = await asked();
    expect(await refusal(reset(verifying))).toMatchObject({ code: "invalid", issues: [{ path: "token" }] });
    expect(await codeOf(verify(resetting))).toBe("invalid");
    // Nor is what one would get by calling it the other.
    expect((await who()).emailVerified).toBe(false);
    await enter(ann.password);
  });

  it("is none if a letter of it is another, or nothing of it is right", async () => {
    const token = await asked();
    const last = token.at(-1) === "A" ? "B" : "A";
    for (const forged of [`${token.slice(0, -1)}${last}`, `${token}x`, token.slice(0, -1), "", ".", "a.b", `x${token}`])
      expect(await codeOf(reset(forged)), forged).toBe("invalid");
    await reset(token);
  });

  it("ends: for the address after a day, for a password after half an hour", async () => {
    const verifying = await world.mailed(/Confirm/, ann.email);
    const resetting = await asked();
    world.advance(30 * minuteMs);
    expect(await codeOf(reset(resetting))).toBe("invalid");
    await verify(verifying);
    const bob = await world.owner();
    const late = await world.mailed(/Confirm/, bob.email);
    world.advance(24 * 60 * minuteMs);
    expect(await codeOf(verify(late, bob.ownerId))).toBe("invalid");
  });
});

describe("verifying an address", () => {
  it("takes the token from the mail, and twice is once", async () => {
    const token = await world.mailed(/Confirm/, ann.email);
    expect((await who()).emailVerified).toBe(false);
    await Promise.all([verify(token), verify(token)]);
    await verify(token);
    expect((await who()).emailVerified).toBe(true);
  });

  it("sends another mail when asked, not within a minute, and none once it is done", async () => {
    const token = await world.mailed(/Confirm/, ann.email);
    const resend = () => world.api.call(resendVerification, { ownerId: ann.ownerId });
    const sent = () => world.mails.filter(({ subject }) => /Confirm/.test(subject)).length;
    await resend();
    await resend();
    world.advance(minuteMs + 1);
    await resend();
    await expect.poll(sent).toBe(2);
    await verify(token);
    world.advance(minuteMs + 1);
    await resend();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(sent()).toBe(2);
  });
});

describe("resetting a password", () => {
  it("works once, for one of many at once, and ends all sessions", async () => {
    const token = await asked();
    const other = await enter(ann.password);
    const codes = await Promise.all(
      Array.from({ length: 6 }, (_, n) => codeOf(reset(token, null, `another long passphrase ${n}`))),
    );
    expect(codes.filter((code) => code === null)).toHaveLength(1);
    expect(codes.filter((code) => code === "invalid")).toHaveLength(5);
    expect(await codeOf(reset(token))).toBe("invalid");
    for (const secret of [ann.secret, other.secret]) expect(await codeOf(who(secret))).toBe("unauthenticated");
    expect(await codeOf(enter(ann.password))).toBe("unauthenticated");
    await enter(`another long passphrase ${codes.indexOf(null)}`);
    await expect.poll(() => world.mails.at(-1)?.subject).toBe("Your Portcullis password was changed");
  });

  it("shows that the mailbox is theirs", async () => {
    await reset(await asked());
    expect((await who((await enter(next)).secret)).emailVerified).toBe(true);
  });

  it("is void once the password was changed another way", async () => {
    const [first, second] = [await asked(), await asked()];
    expect(second).not.toBe(first);
    await reset(second);
    expect(await codeOf(reset(first))).toBe("invalid");
    const third = await asked();
    await world.api.call(changePassword, {
      ownerId: ann.ownerId,
      current: next,
      next: "one more long passphrase",
      secondFactor: null,
      keepSessionId: null,
    });
    expect(await codeOf(reset(third))).toBe("invalid");
    // And is not even sent any more.
    expect((await world.notify.call(composeMail, { mailId: third.split(".")[0] ?? "" })).mail).toBe(null);
  });

  it("needs the second factor where there is one; a wrong one does not use the token up", async () => {
    await verify(await world.mailed(/Confirm/, ann.email));
    await world.api.call(beginOwnerAuthenticator, { ownerId: ann.ownerId, password: ann.password });
    await world.api.call(confirmOwnerAuthenticator, {
      ownerId: ann.ownerId,
      code: world.factors.code,
      keepSessionId: ann.sessionId,
    });
    world.factors.code = "654321";
    const token = await asked();
    expect(await codeOf(reset(token))).toBe("second_factor_required");
    expect(await codeOf(reset(token, { kind: "code", value: "000000" }))).toBe("unauthenticated");
    expect(await codeOf(reset(token, { kind: "code", value: "654321" }, "short"))).toBe("invalid");
    await reset(token, { kind: "code", value: "654321" });
    expect(await codeOf(enter(next))).toBe("second_factor_required");
  });

  it("gives the account to the mailbox's owner, whatever a stranger who signed up with it did", async () => {
    const begun = world.api.call(beginOwnerAuthenticator, { ownerId: ann.ownerId, password: ann.password });
    expect(await refusal(begun)).toMatchObject({ code: "conflict", issues: [{ path: "email" }] });
    await reset(await asked());
    await enter(next);
  });

  it("takes with it every token that was made for programs", async () => {
    const owner = await world.verifiedOwner();
    const { ownerId, email, password } = owner;
    const made = await world.api.call(createApiToken, {
      ownerId,
      password,
      secondFactor: null,
      label: "x",
      expiresAtMs: null,
    });
    const isLive = async () =>
      (await codeOf(world.api.call(authenticate, { kind: "token", secret: made.secret }))) === null;
    expect(await isLive()).toBe(true);
    world.advance(minuteMs + 1);
    await world.api.call(forgotPassword, { email, address: address() });
    const token = await world.mailed(/Reset/, email);
    await world.api.call(resetPassword, { token, next, secondFactor: null });
    expect(await isLive()).toBe(false);
    const store = await openAccountStore(world.platform.documents);
    expect(await store.apiTokens.count({ ownerId })).toBe(0);
  });

  it("is the only change of the password that does: one by who knows it leaves them", async () => {
    const { ownerId, email, password } = await world.verifiedOwner();
    const { secret } = await world.api.call(createApiToken, {
      ownerId,
      password,
      secondFactor: null,
      label: "x",
      expiresAtMs: null,
    });
    await world.api.call(changePassword, {
      ownerId,
      current: password,
      next,
      secondFactor: null,
      keepSessionId: null,
    });
    expect(await world.api.call(authenticate, { kind: "token", secret })).toMatchObject({ email });
  });

  it("can still be asked for after a burst by a stranger, who gets one mail sent and no more", async () => {
    const sent = () => world.mails.filter(({ subject }) => /Reset/.test(subject)).length;
    world.advance(minuteMs + 1);
    const from = address();
    for (let n = 0; n < 20; n += 1) await world.api.call(forgotPassword, { email: ann.email, address: from });
    await expect.poll(() => world.jobs.length).toBe(1 + 20);
    expect(sent()).toBe(1);
    await reset(await asked());
  });

  it("is mailed at most once a minute and twenty times a day, and asking costs the asker's network", async () => {
    const sent = () => world.mails.filter(({ subject }) => /Reset/.test(subject)).length;
    await asked();
    for (let n = 0; n < 5; n += 1) await world.api.call(forgotPassword, { email: ann.email, address: address() });
    world.advance(minuteMs + 1);
    for (let n = 0; n < 40; n += 1) {
      await world.api.call(forgotPassword, { email: ann.email, address: address() });
      world.advance(minuteMs + 1);
    }
    await expect.poll(() => world.jobs.length).toBe(1 + 1 + 5 + 40);
    expect(sent()).toBeLessThanOrEqual(20);
    expect(sent()).toBeGreaterThan(10);
    const from = address();
    const ask = (n: number) => codeOf(world.api.call(forgotPassword, { email: `a${n}@example.com`, address: from }));
    const codes = await Promise.all(Array.from({ length: 21 }, (_, n) => ask(n)));
    expect(codes.filter((code) => code === "too_many")).toHaveLength(1);
  });
});

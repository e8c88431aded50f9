import { authenticate, createApiToken, listApiTokens, revokeApiToken } from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { refusal, startWorld, type World } from "./support/world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
});
afterEach(() => world.close());

const make = ({ ownerId, password }: { ownerId: string; password: string }, canary = true) =>
  world.api.call(createApiToken, { ownerId, password, secondFactor: null, label: "t", canary, expiresAtMs: null });
const use = (secret: string) => refusal(world.api.call(authenticate, { kind: "token", secret }));
const mails = () => world.mails.filter(({ subject }) => subject.includes("API token that you planted"));
const settled = () => new Promise((resolve) => setTimeout(resolve, 250));

describe("an API token that was planted", () => {
  it("is refused like one that never was, and its owner hears of it once an hour", async () => {
    const owner = await world.verifiedOwner();
    const { token, secret } = await make(owner);
    expect(token.canary).toBe(true);
    const wrong = await use(`pct_${"A".repeat(43)}`);
    expect(wrong).toEqual({ code: "unauthenticated", issues: [] });
    for (let times = 0; times < 20; times += 1) expect(await use(secret)).toEqual(wrong);
    await expect.poll(() => mails().length).toBe(1);
    await settled();
    expect(mails()).toMatchObject([{ to: owner.email }]);
    expect(mails()[0]?.text).not.toContain(secret);
    expect(
      mails()[0]
        ?.text.split("\n")
        .every((line) => /^[ -~]{0,76}$/.test(line)),
    ).toBe(true);
    const { tokens } = await world.api.call(listApiTokens, { ownerId: owner.ownerId });
    expect(tokens).toMatchObject([{ canary: true, lastUsedAtMs: world.now() }]);
    world.advance(3_601_000);
    await use(secret);
    await expect.poll(() => mails().length).toBe(2);
  });

  it("is still refused where its owner cannot be told", async () => {
    const { secret } = await make(await world.verifiedOwner());
    world.before("state.create", () => {
      throw new Error("down");
    });
    expect(await use(secret)).toEqual({ code: "unauthenticated", issues: [] });
    await expect.poll(() => world.logged.join("")).toContain("an owner could not be told of it");
  });

  it("that was revoked, or ended with the password, is nobody's alarm; one that was not planted is good", async () => {
    const owner = await world.verifiedOwner();
    const planted = await make(owner);
    await world.api.call(revokeApiToken, { ownerId: owner.ownerId, tokenId: planted.token.id });
    await use(planted.secret);
    await settled();
    expect(mails()).toEqual([]);
    expect(await use((await make(owner, false)).secret)).toBeNull();
  });
});

import { signIn, signUp } from "@portcullis/contracts";
import { afterEach, describe, expect, it } from "vitest";
import { openAccountStore } from "../src/accounts/store.ts";
import { run } from "../src/run.ts";
import { address, codeOf, goodPassword, refusal, startWorld, type World, type WorldOptions } from "./support/world.ts";

let world: World;
const start = async (options: WorldOptions = {}) => {
  world = await startWorld(options);
};
afterEach(() => world.close());

const closed = { signUp: "closed" } as const;
const join = (email: string, bootstrapToken: string | null = null, from = address(), password = goodPassword) =>
  world.api.call(signUp, { email, password, bootstrapToken, invitationToken: null, address: from });
const enter = (email: string, password = goodPassword) =>
  world.api.call(signIn, { email, password, secondFactor: null, address: address(), userAgent: "test" });
const ownersOf = async () => (await openAccountStore(world.platform.documents)).owners.find({});

describe("open sign-up", () => {
  it("makes an account that signs in, however the address is written", async () => {
    await start();
    expect(await join(" Ann@Example.com ")).toEqual({});
    await enter("ann@example.COM");
  });

  it("answers alike for an address that has an account, changes nothing, and a mail tells its owner", async () => {
    await start();
    await join("ann@example.com");
    await world.mailed(/Confirm/, "ann@example.com");
    world.advance(60_001);
    expect(await join("ANN@example.com", null, address(), "another good passphrase")).toEqual({});
    await expect
      .poll(() => world.mails.map(({ to, subject }) => [to, subject]))
      .toContainEqual(["ann@example.com", "You already have a Portcullis account"]);
    expect(await codeOf(enter("ann@example.com", "another good passphrase"))).toBe("unauthenticated");
    await enter("ann@example.com");
    expect(await ownersOf()).toHaveLength(1);
  });

  it("does as many writes for an address that has an account", async () => {
    await start();
    const store = await openAccountStore(world.platform.documents);
    const writes = async () => ({
      documents: (await store.mails.count({})) + (await store.owners.count({})),
      jobs: world.jobs.length,
    });
    const counts: unknown[] = [];
    for (const wait of [0, 60_001, 0]) {
      world.advance(wait);
      const before = await writes();
      await join("ann@example.com");
      await expect.poll(() => world.jobs.length).toBe(before.jobs + 1);
      const after = await writes();
      counts.push({ documents: after.documents - before.documents, jobs: after.jobs - before.jobs });
    }
    // Fresh; known; known and mailed a moment ago.
    expect(counts).toEqual(Array(3).fill({ documents: 2, jobs: 1 }));
  });

  it("makes one account for one address, also for many at once on two replicas", async () => {
    await start({ replicas: 2 });
    const all = await Promise.all(Array.from({ length: 8 }, () => codeOf(join("ann@example.com"))));
    expect(all).toEqual(Array(8).fill(null));
    expect(await ownersOf()).toHaveLength(1);
  });

  it("sends an address at most one mail a minute, whoever signs up with it", async () => {
    await start();
    for (let n = 0; n < 5; n += 1) await join("ann@example.com");
    await expect.poll(() => world.jobs.length).toBe(5);
    expect(world.mails).toHaveLength(1);
  });

  it("is limited per network, and a stranger cannot close it for others", async () => {
    await start();
    for (let n = 0; n < 20; n += 1) await join(`a${n}@example.com`, null, "2001:db8::1");
    expect(await codeOf(join("b@example.com", null, "2001:db8::2"))).toBe("too_many");
    expect(await codeOf(join("b@example.com", null, "2001:db8:0:1::2"))).toBe(null);
  });

  it.each(["", "ann", "@example.com", "ann@", "a b@example.com", "ann@@example.com", "ann@exa\u0000mple.com"])(
    "refuses %j as an address",
    async (email) => {
      await start();
      expect(await refusal(join(email))).toMatchObject({ code: "invalid", issues: [{ path: "email" }] });
      expect(await ownersOf()).toEqual([]);
    },
  );

  it("refuses a weak password before it looks whether there is an account", async () => {
    await start();
    await join("ann@example.com");
    const weak = [await refusal(join("ann@example.com", null, address(), "short"))];
    weak.push(await refusal(join("bob@example.com", null, address(), "short")));
    expect(weak[0]).toEqual(weak[1]);
    expect(weak[0]).toMatchObject({ code: "invalid", issues: [{ path: "password" }] });
  });
});

describe("closed sign-up", () => {
  it("lets nobody in but the first owner with the token, once", async () => {
    await start({ config: closed });
    const [token] = world.bootstrapTokens;
    expect(token).toMatch(/^pcb_[A-Za-z0-9_-]{43}$/);
    expect(await codeOf(join("ann@example.com"))).toBe("forbidden");
    expect(await codeOf(join("ann@example.com", "pcb_wrong"))).toBe("forbidden");
    await join("ann@example.com", token);
    expect(await codeOf(join("bob@example.com", token))).toBe("forbidden");
    expect(await codeOf(join("bob@example.com"))).toBe("forbidden");
    expect(await ownersOf()).toHaveLength(1);
  });

  it("makes one first owner of many who present the token at once on two replicas", async () => {
    await start({ config: closed, replicas: 2 });
    const [token] = world.bootstrapTokens;
    const all = await Promise.all(Array.from({ length: 8 }, (_, n) => codeOf(join(`a${n}@example.com`, token ?? ""))));
    expect(all.filter((code) => code === null)).toHaveLength(1);
    expect(all.filter((code) => code === "forbidden")).toHaveLength(7);
    expect(await ownersOf()).toHaveLength(1);
  });

  it("names the same token on every replica and every start, until there is an owner", async () => {
    await start({ config: closed, replicas: 3 });
    expect(new Set(world.bootstrapTokens).size).toBe(1);
    await join("ann@example.com", world.bootstrapTokens[0] ?? "");
    const late = await run(
      world.embedded.platformFor("identity"),
      { ...closed, bootstrapToken: null, publicUrl: "https://p.example" },
      { passwords: { hash: async () => "", matches: async () => false } },
    );
    expect(late.bootstrapToken).toBe(null);
  });

  it("keeps the token good when the process that took it died before the owner was written", async () => {
    let die = true;
    const passwords = {
      // After the token was looked at, before the owner is inserted.
      hash: async () => {
        if (die) throw new Error("died");
        return "hash";
      },
      matches: async () => true,
    };
    await start({ config: closed, passwords });
    const token = world.bootstrapTokens[0] ?? "";
    expect(await codeOf(join("ann@example.com", token))).toBe("internal");
    die = false;
    expect(await codeOf(join("ann@example.com", token))).toBe(null);
    expect(await codeOf(join("bob@example.com", token))).toBe("forbidden");
  });

  it("takes the operator's token and does not say it again", async () => {
    const bootstrapToken = "the operator chose this one";
    await start({ config: { ...closed, bootstrapToken } });
    expect(world.bootstrapTokens).toEqual([null]);
    await join("ann@example.com", bootstrapToken);
    expect(await codeOf(join("bob@example.com", bootstrapToken))).toBe("forbidden");
  });

  it("lets no token in once somebody came in through open sign-up", async () => {
    await start();
    await join("ann@example.com");
    expect(await codeOf(join("bob@example.com", world.bootstrapTokens[0] ?? ""))).toBe("forbidden");
  });
});

import { ServiceError } from "@portcullis/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { createBound, createPasswords, type Passwords, requireGoodPassword } from "../src/accounts/passwords.ts";

const facts = { email: "ann.longname@example.com", secondFactor: false };

function problem(password: string, with_: Partial<typeof facts> = {}): string | null {
  try {
    requireGoodPassword(password, { ...facts, ...with_ });
    return null;
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== "invalid") throw error;
    expect(JSON.stringify(error.issues)).not.toContain(password);
    return error.issues[0]?.message ?? "";
  }
}

describe("a password", () => {
  it("has at least 15 characters alone and at least 8 beside a second factor", () => {
    expect(problem("fourteen chars")).toBe("needs at least 15 characters");
    expect(problem("fifteen chars ..")).toBe(null);
    expect(problem("kzv7wom", { secondFactor: true })).toBe("needs at least 8 characters");
    expect(problem("kzv7womb", { secondFactor: true })).toBe(null);
  });

  it("is counted in characters as people count them, and has at most 256", () => {
    expect(problem("🐎🌊🏰🔑🌙⭐🍎🐟🎈🚪🧱🔥🌳🎲")).toBe("needs at least 15 characters");
    expect(problem("🐎🌊🏰🔑🌙⭐🍎🐟🎈🚪🧱🔥🌳🎲🪁")).toBe(null);
    expect(problem("kq".concat("xyzzy plugh frotz ".repeat(20)))).toBe("has more than 256 characters");
  });

  it.each([
    ["the same again and again", "abcabcabcabcabca"],
    ["one letter", "aaaaaaaaaaaaaaaaaaaa"],
    ["a well-known one, twice, and a digit", "PasswordPassword1"],
    ["well-known words with separators", "correct-horse battery.staple"],
    ["a well-known one that is decorated", "!!!portcullis2026!!!"],
    ["the alphabet", "abcdefghijklmnop"],
    ["counting", "1234567890123456"],
    ["a row of keys and back", "qwertyuiop[]".slice(0, 10).concat("poiuytrewq")],
  ])("is not what attackers try first: %s", (_, password) => {
    expect(problem(password)).toBe("is one that attackers try first");
  });

  it("is not the e-mail address, with or without its ends", () => {
    for (const password of ["ann.longname@example.com", "ANN.LONGNAME@EXAMPLE.COM!!", "ann.longname@example"]) {
      expect(problem(password)).toBe("is too close to the e-mail address");
    }
  });

  it("needs no digits, capitals or signs", () => {
    expect(problem("sieben pferde unter wasser")).toBe(null);
    expect(problem("password hidden in a long sentence of mine")).toBe(null);
  });
});

describe("the hash of a password", () => {
  let passwords: Passwords;
  let stored: string;
  beforeAll(async () => {
    passwords = await createPasswords();
    stored = await passwords.hash("ﬁve horses under wateŕ");
  });

  it("is argon2id with 64 MiB and 3 passes", () => {
    expect(stored).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=1\$[A-Za-z0-9+/]{22,}\$[A-Za-z0-9+/]{43}$/);
  });

  it("matches the same text however it is composed, and no other", async () => {
    expect(await passwords.matches(stored, "five horses under wateŕ".normalize("NFD"))).toBe(true);
    expect(await passwords.matches(stored, "five horses under water")).toBe(false);
  });

  it("of nobody matches nothing, not even the text it is made of", async () => {
    expect(await passwords.matches(null, "nobody has this password")).toBe(false);
  });
});

describe("hashing", () => {
  it("runs at most so many at once, in order, and refuses what would wait too long", async () => {
    const bounded = createBound(2, 3);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const work = (n: number) => () => {
      running += 1;
      most = Math.max(most, running);
      order.push(n);
      return new Promise<void>((resolve) =>
        setTimeout(() => {
          running -= 1;
          resolve();
        }, 2),
      );
    };
    const all = await Promise.allSettled([0, 1, 2, 3, 4, 5, 6].map((n) => bounded(work(n))));
    expect(all.map(({ status }) => status)).toEqual([...Array(5).fill("fulfilled"), "rejected", "rejected"]);
    expect(all[6]).toMatchObject({ reason: { code: "busy" } });
    expect({ most, order }).toEqual({ most: 2, order: [0, 1, 2, 3, 4] });
    // A failure gives its place back.
    await expect(bounded(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await Promise.all([bounded(work(7)), bounded(work(8))]);
    expect(most).toBe(2);
  });

  it("never lets a newcomer in between one that ends and the one that waits", async () => {
    const bounded = createBound(1, 10);
    let running = 0;
    const alone = async () => {
      running += 1;
      expect(running).toBe(1);
      await Promise.resolve();
      running -= 1;
    };
    const first = bounded(alone);
    const second = bounded(alone);
    await Promise.all([first.then(() => bounded(alone)), second, Promise.resolve().then(() => bounded(alone))]);
  });
});

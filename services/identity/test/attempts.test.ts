import { openEmbeddedState } from "@portcullis/state/embedded";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Attempts, createAttempts, createQuota } from "../src/accounts/attempts.ts";
import { codeOf } from "./support/world.ts";

let nowMs: number;
let state: ReturnType<typeof openEmbeddedState>;
let attempts: Attempts;
let judged: number;
const tag = (text: string) => `tag of ${text}`;

beforeEach(() => {
  nowMs = 1_795_000_000_000;
  state = openEmbeddedState({ file: ":memory:", clock: () => nowMs });
  attempts = createAttempts(state, "test", tag);
  judged = 0;
});
afterEach(() => state.close());

const minuteMs = 60_000;

function attempt(account: string, address: string | null, right: boolean) {
  return attempts.judge(account, address, async () => {
    judged += 1;
    await new Promise(setImmediate);
    return right || null;
  });
}
const wrong = (account: string, address: string | null) => attempt(account, address, false);
const right = (account: string, address: string | null) => attempt(account, address, true);
async function repeat(times: number, what: (n: number) => Promise<unknown>) {
  for (let n = 0; n < times; n += 1) await what(n);
}

describe("guesses", () => {
  it("that are too many say when to come back: after the window that is used up", async () => {
    await repeat(5, () => wrong("ann", "10.0.0.1"));
    await expect(right("ann", "10.0.0.1")).rejects.toMatchObject({ code: "too_many", retryAfterS: 15 * 60 });
    await repeat(95, (n) => wrong("ann", `10.0.1.${n}`));
    await expect(right("ann", "10.0.2.1")).rejects.toMatchObject({ code: "too_many", retryAfterS: 24 * 3_600 });
  });

  it("end after five on one account from one network, however many are made at once", async () => {
    const all = await Promise.allSettled(Array.from({ length: 40 }, () => wrong("ann", "10.0.0.1")));
    expect(judged).toBe(5);
    expect(all.filter(({ status }) => status === "rejected")).toHaveLength(35);
    expect(await codeOf(right("ann", "10.0.0.1"))).toBe("too_many");
    expect(judged).toBe(5);
  });

  it("of a stranger do not lock the owner out on another network", async () => {
    await repeat(200, () => codeOf(wrong("ann", "10.0.0.1")));
    expect(await right("ann", "10.0.0.2")).toBe(true);
  });

  it("from one network on many accounts end after fifty", async () => {
    await repeat(50, (n) => wrong(`account ${n}`, "10.0.0.1"));
    expect(await codeOf(wrong("another", "10.0.0.1"))).toBe("too_many");
    expect(await right("another", "10.0.0.2")).toBe(true);
  });

  it("from many networks on one account end after a hundred in a day", async () => {
    await repeat(100, (n) => wrong("ann", `10.0.1.${n}`));
    expect(await codeOf(right("ann", "10.0.2.1"))).toBe("too_many");
    nowMs += 23 * 60 * minuteMs;
    expect(await codeOf(right("ann", "10.0.2.1"))).toBe("too_many");
    nowMs += 2 * 60 * minuteMs;
    expect(await right("ann", "10.0.2.1")).toBe(true);
  });

  it("from however many networks leave the owner a way in from where they were before, and that has a ceiling as well", async () => {
    await right("ann", "10.0.2.1");
    await repeat(100, (n) => wrong("ann", `10.0.1.${n}`));
    expect(await codeOf(right("ann", "10.0.2.2"))).toBe("too_many");
    expect(await right("ann", "10.0.2.1")).toBe(true);
    // Nobody else's account is known there, nor is it forgiven elsewhere.
    expect(await codeOf(right("ann", "10.0.2.2"))).toBe("too_many");
    await repeat(20, async () => {
      await repeat(5, () => wrong("ann", "10.0.2.1"));
      nowMs += 15 * minuteMs + 1;
    });
    expect(await codeOf(right("ann", "10.0.2.1"))).toBe("too_many");
  });

  it("are forgotten after a quarter of an hour, counted from the first", async () => {
    await wrong("ann", "10.0.0.1");
    nowMs += 14 * minuteMs;
    await repeat(4, () => wrong("ann", "10.0.0.1"));
    expect(await codeOf(wrong("ann", "10.0.0.1"))).toBe("too_many");
    nowMs += minuteMs + 1;
    expect(await right("ann", "10.0.0.1")).toBe(true);
  });

  it("are forgiven by a right one on that account, but not what the network did elsewhere", async () => {
    await repeat(4, () => wrong("ann", "10.0.0.1"));
    await right("ann", "10.0.0.1");
    await repeat(5, () => wrong("ann", "10.0.0.1"));
    expect(await codeOf(wrong("ann", "10.0.0.1"))).toBe("too_many");
    // 9 so far; a network that owns one account must not use it to reset what it tries on others.
    await repeat(41, async (n) => {
      await right("its own", "10.0.0.1");
      await wrong(`account ${n}`, "10.0.0.1");
    });
    expect(await codeOf(wrong("another", "10.0.0.1"))).toBe("too_many");
  });

  it("that could not be judged count for nothing", async () => {
    const down = () => attempts.judge("ann", "10.0.0.1", () => Promise.reject(new Error("down")));
    await repeat(60, () => expect(down()).rejects.toThrow("down"));
    await repeat(4, () => wrong("ann", "10.0.0.1"));
    expect(await right("ann", "10.0.0.1")).toBe(true);
  });

  it("without a known network are counted per account only", async () => {
    await repeat(60, (n) => wrong(`account ${n}`, null));
    expect(await right("another", null)).toBe(true);
    await repeat(5, () => wrong("ann", null));
    expect(await codeOf(right("ann", null))).toBe("too_many");
  });

  it("at one kind of secret do not use up another's", async () => {
    await repeat(5, () => wrong("ann", "10.0.0.1"));
    const other = createAttempts(state, "other", tag);
    expect(await other.judge("ann", "10.0.0.1", async () => true)).toBe(true);
  });

  it("cannot be moved between account and network by what they are called", async () => {
    await repeat(5, () => wrong("ann 10.0.0.1", "x"));
    expect(await right("ann", "10.0.0.1 x")).toBe(true);
  });
});

describe("a quota", () => {
  it("is given so often per subject and window, also to many at once", async () => {
    const quota = createQuota(state, "mails", { max: 2, windowMs: minuteMs }, tag);
    const taken = await Promise.all(Array.from({ length: 10 }, () => quota.take("ann")));
    expect(taken.filter(Boolean)).toHaveLength(2);
    expect(await quota.take("bob")).toBe(true);
    nowMs += minuteMs + 1;
    expect(await quota.take("ann")).toBe(true);
  });
});

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createLately } from "../src/groups/lately.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const lately = (max = 3) => createLately<string>({ max, forMs: 1_000, clock: Date.now });

it("what was opened lately is there for its time, and then in no memory, also where nobody asks for anything any more", () => {
  const opened = lately();
  opened.put("a", "key a");
  vi.advanceTimersByTime(600);
  opened.put("b", "key b");
  vi.advanceTimersByTime(399);
  expect([opened.get("a"), opened.get("b"), opened.size]).toEqual(["key a", "key b", 2]);
  vi.advanceTimersByTime(1);
  expect([opened.get("a"), opened.get("b"), opened.size]).toEqual([null, "key b", 1]);
  vi.advanceTimersByTime(600);
  expect(opened.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

it("is not more than may be, the oldest first, and what is put again is new", () => {
  const opened = lately();
  for (const name of ["a", "b", "a", "c", "d"]) opened.put(name, `key ${name}`);
  expect(["a", "b", "c", "d"].map(opened.get)).toEqual(["key a", null, "key c", "key d"]);
});

it("does not stay for longer where the clock is set back", () => {
  const opened = lately();
  opened.put("a", "key a");
  vi.setSystemTime(Date.now() - 3_600_000);
  vi.advanceTimersByTime(1_000);
  expect(opened.size).toBe(0);
});

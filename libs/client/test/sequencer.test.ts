import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSequencer } from "../src/sequencer.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function sequencer(after = 0, heldMax = 100, heldBytesMax = 1_000_000) {
  const delivered: number[] = [];
  const missing: number[] = [];
  const lost: number[] = [];
  const made = createSequencer<number>({
    after,
    heldMax,
    heldBytesMax,
    deliver: (item) => void delivered.push(item),
    erase: () => {},
    onMissing: (place) => void missing.push(place),
    onLost: () => void lost.push(1),
  });
  return {
    ...made,
    put: (place: number, bytes = 1) => made.put(place, place, bytes),
    delivered,
    missing,
    lost,
    get place() {
      return made.place;
    },
  };
}

describe("messages that have places", () => {
  it("are delivered in their order, each once, however they come", () => {
    void fc.assert(
      fc.property(
        fc.shuffledSubarray(
          Array.from({ length: 30 }, (_, n) => n + 1),
          { minLength: 30 },
        ),
        fc.array(fc.nat(29)),
        (order, twice) => {
          const made = sequencer();
          for (const [index, place] of order.entries()) {
            made.put(place);
            made.put(order[Math.min(index, twice[index] ?? 0)] ?? place);
          }
          expect(made.delivered).toEqual(order.toSorted((a, b) => a - b));
          vi.advanceTimersByTime(60_000);
          expect([made.missing, made.lost]).toEqual([[], []]);
        },
      ),
    );
  });

  it("wait for half a second for what is missing, and then it is asked for", () => {
    const made = sequencer(4);
    for (const place of [5, 7, 8]) made.put(place);
    expect(made.delivered).toEqual([5]);
    vi.advanceTimersByTime(499);
    expect(made.missing).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(made.missing).toEqual([5]);
    // Nobody answers: asked again, not all the time.
    vi.advanceTimersByTime(5_000);
    expect(made.missing).toEqual([5, 5]);
    made.put(6);
    expect(made.delivered).toEqual([5, 6, 7, 8]);
    vi.advanceTimersByTime(60_000);
    expect(made.missing).toEqual([5, 5]);
  });

  it("are asked for every five seconds until there is an answer, where it is to bring a key: nothing that comes meanwhile is one", () => {
    const made = sequencer();
    made.put(1);
    made.ask();
    // All is here that is known of: what cannot be opened is not known of.
    made.reached(1);
    made.put(2);
    vi.advanceTimersByTime(4_999);
    expect(made.missing).toEqual([1]);
    vi.advanceTimersByTime(1);
    expect(made.missing).toEqual([1, 2]);
    made.put(4);
    made.put(3);
    vi.advanceTimersByTime(5_000);
    expect(made.missing).toEqual([1, 2, 4]);
    made.caughtUp(4, true);
    vi.advanceTimersByTime(60_000);
    expect(made.missing).toEqual([1, 2, 4]);
  });

  it("of which the last one was lost are asked for at the next tick", () => {
    const made = sequencer();
    made.put(1);
    made.reached(1);
    vi.advanceTimersByTime(1_000);
    expect(made.missing).toEqual([]);
    made.reached(2);
    vi.advanceTimersByTime(500);
    expect(made.missing).toEqual([1]);
  });

  it("go on behind a gap that will not be filled, and that is told exactly once", () => {
    const made = sequencer();
    for (const place of [1, 4]) made.put(place);
    made.ask();
    made.caughtUp(3, false);
    expect([made.delivered, made.lost.length, made.place]).toEqual([[1, 4], 1, 4]);
    for (const place of [2, 3]) made.put(place);
    expect(made.delivered).toEqual([1, 4]);
  });

  it("are not given up where they got their place while it was asked for those before", () => {
    const made = sequencer();
    for (const place of [1, 3]) made.put(place);
    vi.advanceTimersByTime(500);
    expect(made.missing).toEqual([1]);
    // Nothing is kept, and the server has given more places by now than its records have come here.
    made.caughtUp(5, false);
    for (const place of [5, 4]) made.put(place);
    expect([made.delivered, made.lost.length]).toEqual([[1, 3, 4, 5], 1]);
    vi.advanceTimersByTime(60_000);
    expect(made.missing).toEqual([1]);
  });

  it("are not lost where nothing stood in a place that was given", () => {
    const made = sequencer();
    for (const place of [1, 3]) made.put(place);
    made.caughtUp(3, true);
    expect([made.delivered, made.lost.length, made.place]).toEqual([[1, 3], 0, 3]);
  });

  it("that were said while one was let in are not lost to them", () => {
    const made = sequencer(10);
    made.put(13);
    made.ask();
    made.caughtUp(12, false);
    expect([made.delivered, made.lost.length]).toEqual([[13], 0]);
    made.put(15);
    made.ask();
    made.caughtUp(14, false);
    expect(made.lost).toHaveLength(1);
  });

  it("are held within bounds: what is beyond them is asked for again", () => {
    const made = sequencer(0, 5);
    for (let place = 2; place <= 20; place += 1) made.put(place);
    // Once, however much more comes before the answer.
    expect(made.missing).toEqual([0]);
    made.put(1);
    expect(made.delivered).toEqual([1, 2, 3, 4, 5, 6]);
    for (let place = 7; place <= 20; place += 1) made.put(place);
    expect(made.delivered.at(-1)).toBe(20);
  });

  it("are held within bounds of bytes too, and are fewer again once they are delivered", () => {
    const made = sequencer(0, 100, 1_000);
    for (const place of [2, 3, 4]) made.put(place, 500);
    expect(made.missing).toEqual([0]);
    made.put(1, 500);
    expect(made.delivered).toEqual([1, 2, 3]);
    made.caughtUp(4, true);
    for (const place of [6, 7, 5]) made.put(place, 400);
    expect(made.delivered).toEqual([1, 2, 3, 5, 6, 7]);
  });

  it("leave no timer behind, also where the one that is delivered ends it all", () => {
    const made = sequencer();
    made.put(2);
    made.end();
    expect(vi.getTimerCount()).toBe(0);
    const full = createSequencer<number>({
      after: 0,
      heldMax: 10,
      heldBytesMax: 1_000,
      deliver: () => full.end(),
      erase: () => {},
      onMissing: () => {},
      onLost: () => {},
    });
    full.reached(9);
    full.put(1, 1, 1);
    full.ask();
    full.caughtUp(3, true);
    expect(vi.getTimerCount()).toBe(0);

    // And nothing is said to be lost to who has gone.
    const gone = sequencer();
    for (const place of [1, 3]) gone.put(place);
    gone.ask();
    gone.end();
    gone.caughtUp(3, false);
    expect(gone.lost).toEqual([]);
  });
});

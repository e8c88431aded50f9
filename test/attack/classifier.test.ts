import { describe, expect, test } from "vitest";
import { heldOutAuc, type Sample } from "./support/classifier.ts";

/** The same numbers in every run (a linear congruential generator, Numerical Recipes). */
function createNoise(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function aucOf(featuresOf: (isLive: boolean, noise: () => number) => readonly number[]): number {
  const noise = createNoise();
  const half = () =>
    Array.from({ length: 600 }, (_, index): Sample => {
      const isLive = index % 2 === 0;
      return { features: featuresOf(isLive, noise), isLive };
    });
  return heldOutAuc([half(), half()]);
}

/** Exponential, as waiting times are. */
const time = (noise: () => number) => -Math.log(1 - noise());

describe("the distinguisher", () => {
  test("guesses where there is nothing to find", () => {
    expect(Math.abs(aucOf((_, noise) => [10, time(noise), time(noise), time(noise)]) - 0.5)).toBeLessThan(0.05);
  });

  test.each<[string, number, (isLive: boolean, noise: () => number) => readonly number[]]>([
    ["another byte", 0.99, (isLive, noise) => [isLive ? 43_970 : 43_971, time(noise), time(noise)]],
    ["a byte in one of five answers", 0.56, (isLive, noise) => [isLive && noise() < 0.2 ? 1 : 0, time(noise)]],
    ["a little more time", 0.6, (isLive, noise) => [10, time(noise), time(noise) + (isLive ? 0.5 : 0)]],
    [
      "another spread, with the same mean",
      0.6,
      (isLive, noise) => [isLive ? noise() : noise() * 0.5 + 0.25, time(noise)],
    ],
    [
      "little of each of two",
      0.6,
      (isLive, noise) => [time(noise) + (isLive ? 0.3 : 0), time(noise) + (isLive ? 0.3 : 0)],
    ],
  ])("finds %s", (_what, least, featuresOf) => {
    expect(aucOf(featuresOf)).toBeGreaterThan(least);
  });
});

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { ScheduleVector } from "../../../test/vectors/build.ts";
import { type CryptoErrorCode, cryptoErrorCodes } from "../src/mod.ts";

export const readVectors = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../test/vectors/${name}`, import.meta.url), "utf8"));

export const schedule: ScheduleVector[] = readVectors("schedule.json");

export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Fails unless it is a CryptoError with this code. */
export async function expectRefused(code: CryptoErrorCode, act: () => Promise<unknown>): Promise<void> {
  expect(cryptoErrorCodes).toContain(code);
  await expect(act()).rejects.toMatchObject({ name: "CryptoError", code });
}

/** Every position once, one bit flipped. */
export function* alterations(bytes: Uint8Array, step = 1): Generator<Uint8Array> {
  for (let index = 0; index < bytes.length; index += step) {
    const altered = bytes.slice();
    altered[index] = (altered[index] ?? 0) ^ (1 << (index % 8));
    yield altered;
  }
}

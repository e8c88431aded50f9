import { expect, it } from "vitest";
import { unknownEpoch } from "../src/group-keys.ts";
import { createIntake } from "../src/intake.ts";
import type { Link } from "../src/link.ts";

it("what no key is known for is kept within the bounds of what may wait, however large it is: anybody on the way can make it", async () => {
  const read: Uint8Array[] = [];
  const link: Partial<Link> = {
    isPlain: () => false,
    async read(frame) {
      read.push(frame);
      return unknownEpoch;
    },
  };
  const from = link as Link;
  const intake = createIntake({
    framesMax: 100,
    bytesMax: 1_000,
    isCurrent: () => true,
    onHeard: () => expect.fail(),
    onUnknown: () => {},
    onOverflow: () => expect.fail(),
    onFailed: (error) => expect.fail(String(error)),
  });
  const keptOf = async (frames: readonly Uint8Array[]) => {
    for (const frame of frames) {
      intake.take(from, frame);
      await intake.settled();
    }
    read.length = 0;
    intake.retry(from);
    await intake.settled();
    return read.map(({ length }) => length);
  };
  const all = (count: number, bytes: number) => Array.from({ length: count }, () => new Uint8Array(bytes));
  expect(await keptOf(all(70, 10))).toEqual(Array.from({ length: 64 }, () => 10));
  // The newest stay.
  expect(await keptOf([...all(3, 600), ...all(2, 400)])).toEqual([400, 400]);
  expect(await keptOf(all(2, 10))).toEqual([10, 10]);
});

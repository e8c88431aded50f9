import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { passkeyChallenge } from "../src/mod.ts";

it("is SHA-256 over the label, the transcript hash and the length-prefixed challenge id, as any other implementation has it", async () => {
  const th = new Uint8Array(32).fill(9);
  const cid = "Q2hhbGxlbmdl";
  const expected = createHash("sha256")
    .update("portcullis/1 passkey\0")
    .update(th)
    .update(Buffer.of(0, 0, 0, cid.length))
    .update(cid)
    .digest();
  expect(Buffer.from(await passkeyChallenge(th, cid))).toEqual(expected);
});

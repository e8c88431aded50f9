import { generateIdentity, signReceipt } from "@portcullis/crypto";
import { base64url } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import { verifyReceipt } from "../src/mod.ts";
import { enter, played, refusal, serve, world } from "./support/harness.ts";
import type { Peer } from "./support/server.ts";

const at = 1_795_000_000_000;
const policyHash = base64url.encode(new Uint8Array(32));

async function letIn(peer: Peer, alter: (sig: Uint8Array) => Uint8Array = (same) => same, signer = world.identity) {
  await peer.hello();
  await peer.readOpen();
  const statement = { finish: await peer.finish(), sid: "sid-bob", member: "bob", atMs: at, policyHash };
  const sig = base64url.encode(alter(await signReceipt(signer, statement)));
  await peer.accept({ receipt: { at, sig } });
}

describe("a receipt", () => {
  it("is verified before it is given out, and good for whoever knows the server", async () => {
    const server = await serve((peer) => letIn(peer));
    const session = await enter(server);
    await played(server);
    const { fingerprint } = world.identity;
    const kept = JSON.parse(JSON.stringify(session.receipt));
    expect(kept).toMatchObject({ sid: "sid-bob", member: "bob", atMs: at, policyHash, fingerprint });
    expect(await verifyReceipt(kept, fingerprint)).toMatchObject({ problem: null, receipt: { sid: "sid-bob" } });
    await session.close();

    const { identity: other } = await generateIdentity();
    expect(await verifyReceipt(kept, other.fingerprint)).toEqual({ receipt: null, problem: "another-server" });
    for (const change of [
      { member: "eve" },
      { member: null },
      { sid: "x" },
      { atMs: at + 1 },
      { policyHash: kept.finish },
    ])
      expect(await verifyReceipt({ ...kept, ...change }, fingerprint)).toEqual({ receipt: null, problem: "signature" });
    const key = base64url.encode(other.publicKey);
    for (const strange of [
      null,
      [],
      "{}",
      {},
      { ...kept, more: 1 },
      { ...kept, v: 2 },
      { ...kept, key },
      { ...kept, key: "!" },
      { ...kept, sig: 3 },
    ])
      expect((await verifyReceipt(strange, fingerprint)).problem, JSON.stringify(strange)).toBe("not-a-receipt");
  });

  it("with a wrong signature, or another's, is the server's mistake, and there is no session", async () => {
    const wrong = await serve((peer) =>
      letIn(peer, (sig) => sig.map((byte, index) => (index === 5 ? byte ^ 1 : byte))),
    );
    await refusal(enter(wrong), "protocol");
    const { identity } = await generateIdentity();
    const others = await serve((peer) => letIn(peer, undefined, identity));
    await refusal(enter(others), "protocol");
  });

  it("may be missing, while the server's key changes", async () => {
    const server = await serve((peer) => peer.letIn());
    const session = await enter(server);
    expect(session.receipt).toBeNull();
    await session.close();
  });
});

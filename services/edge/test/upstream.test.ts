import { recordTypes } from "@portcullis/protocol";
import { createIds } from "@portcullis/runtime";
import { describe, expect, it } from "vitest";
import { createUpstream } from "../src/connection/upstream.ts";
import { createTelemetry } from "../src/telemetry.ts";

function upstream(memberProven: boolean) {
  let nowMs = 1_000_000;
  const said: { member: string | null }[] = [];
  const admitted = {
    sid: "s1",
    socketId: "sock",
    member: "bob",
    memberProven,
    expiresAtMs: 2_000_000,
    maxBytes: 100,
    perSecond: 50,
    sealed: false,
    endToEnd: "off" as const,
    placed: false,
    relayed: false,
    role: "member" as const,
    mode: "broadcast" as const,
    epoch: null,
    next: 0,
    resumeMs: 0,
    stepUp: null,
  };
  const made = createUpstream({
    admitted,
    caller: { emit: (_contract, body) => void said.push(body as { member: string | null }) },
    clock: () => nowMs,
    ids: createIds(),
    telemetry: createTelemetry(),
    relay: null,
  });
  return {
    ...made,
    said,
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

const lateOffer = Uint8Array.of(recordTypes.handshakeUp, ...new Uint8Array(60));
const message = Uint8Array.of(recordTypes.messageUp, ...new Uint8Array(8), 104, 105);

describe("an accepted client", () => {
  it("may have one more offer on its way for five seconds, not longer", () => {
    const { message: take, wait } = upstream(true);
    wait(4_999);
    expect(take(lateOffer, true)).toBeNull();
    wait(1);
    expect(take(lateOffer, true)).toBe("out-of-order");
  });

  it("speaks under its member's name only where that was proven", () => {
    const proven = upstream(true);
    const claimed = upstream(false);
    expect([proven.message(message, true), claimed.message(message, true)]).toEqual([null, null]);
    expect(proven.said[0]?.member).toBe("bob");
    expect(claimed.said[0]?.member).toBeNull();
  });
});

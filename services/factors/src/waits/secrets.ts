import { createHmac, timingSafeEqual } from "node:crypto";
import type { Vault } from "@portcullis/runtime";

/**
 * Code, number and link of a wait are derived from its id: neither the queue nor a store holds them, and a message that is sent again
 * says the same (which is what a person expects who finds two).
 */
export interface WaitSecrets {
  /** Six digits. */
  codeOf(waitId: string): string;
  /** In constant time. */
  isCode(waitId: string, received: string): boolean;
  /** `<waitId>.<tag>`, for the link. */
  tokenOf(waitId: string): string;
  /** The wait that a link is of; null for one that was never made. */
  waitOf(token: string): string | null;
}

const digits = 6;
const tokenShape = /^([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]{43}$/;

export function createWaitSecrets(vault: Pick<Vault, "subkey">): WaitSecrets {
  const [codeKey, linkKey] = [vault.subkey("wait-code"), vault.subkey("wait-link")];
  const codeOf = (waitId: string) => {
    const number = createHmac("sha256", codeKey).update(waitId).digest().readBigUInt64BE();
    // 2^64 is no multiple of a million: the bias is below 10^-13.
    return (number % 10n ** BigInt(digits)).toString().padStart(digits, "0");
  };
  const tokenOf = (waitId: string) => `${waitId}.${createHmac("sha256", linkKey).update(waitId).digest("base64url")}`;
  return {
    codeOf,
    isCode: (waitId, received) => isEqual(codeOf(waitId), received),
    tokenOf,
    waitOf(received) {
      const waitId = tokenShape.exec(received)?.[1];
      if (waitId === undefined) return null;
      return isEqual(tokenOf(waitId), received) ? waitId : null;
    },
  };
}

/** In constant time, but for the length, which is no secret. */
export function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

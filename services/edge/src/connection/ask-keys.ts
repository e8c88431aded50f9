import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError, type ServiceErrorCode, type Step } from "@portcullis/contracts";
import type { CloseCodeName } from "@portcullis/protocol";

export type Asked =
  | { readonly step: Step }
  /** No verdict could be had. */
  | { readonly failed: CloseCodeName; readonly cause: ServiceErrorCode };

const busyRetryMs = 200;

/**
 * Asks once; once more where the same request is being handled already (it is idempotent: the stored step comes back).
 * Whatever fails, fails closed: nobody is accepted because a part of the system is missing.
 */
export async function askKeys(ask: () => Promise<Step>, notFound: CloseCodeName): Promise<Asked> {
  try {
    return { step: await ask().catch((error: unknown) => afterBusy(error, ask)) };
  } catch (error) {
    const cause = error instanceof ServiceError ? error.code : "internal";
    return { failed: closeNameOf(cause, notFound), cause };
  }
}

async function afterBusy(error: unknown, ask: () => Promise<Step>): Promise<Step> {
  if (!(error instanceof ServiceError) || error.code !== "busy") throw error;
  await sleep(busyRetryMs);
  return ask();
}

/** `conflict`: other bytes under a number that was used. `invalid`: what only `keys` could see to be no protocol. */
function closeNameOf(cause: ServiceErrorCode, notFound: CloseCodeName): CloseCodeName {
  switch (cause) {
    case "not_found":
      return notFound;
    case "conflict":
      return "out-of-order";
    case "invalid":
      return "malformed";
    case "too_many":
      return "rate";
    default:
      return "unavailable";
  }
}

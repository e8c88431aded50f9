import { type Challenge, solveChallenge } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/web/pbkdf2";
import { PortcullisError } from "./errors.ts";
import type { Asked } from "./prompts/prompt.ts";

/** What a server may ask for: whoever runs it must not have a client compute for nothing. */
const iterationsMax = 10_000;
const solveMsMax = 60_000;
/** Left for the answer to arrive in. */
const marginMs = 1_000;

/** @throws {PortcullisError} `timeout` where it takes longer than there is time to answer. */
export async function solve({ details, signal, untilMs, clock }: Asked): Promise<string> {
  const challenge = read(details);
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  const timeout = Math.max(1, Math.min(solveMsMax, untilMs - clock() - marginMs));
  try {
    const solution = await solveChallenge({ challenge, deriveKey, controller, timeout });
    if (solution === null) throw new PortcullisError(signal.aborted ? "cancelled" : "timeout");
    const { counter, derivedKey } = solution;
    return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function read({ challenge }: Asked["details"]): Challenge {
  const { parameters = {}, signature } = recordOf(challenge);
  const { algorithm, cost, keyLength, nonce, salt, keyPrefix } = recordOf(parameters);
  const isKnown =
    algorithm === "PBKDF2/SHA-256" &&
    keyLength === 32 &&
    typeof cost === "number" &&
    Number.isInteger(cost) &&
    cost >= 1 &&
    cost <= iterationsMax;
  if (!isKnown || ![nonce, salt, keyPrefix, signature].every(isHex)) throw new PortcullisError("unsupported");
  // Sent back as it came: the server's signature is over all of it.
  return challenge as Challenge;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function isHex(value: unknown): boolean {
  return typeof value === "string" && /^(?:[0-9a-f]{2}){1,64}$/.test(value);
}

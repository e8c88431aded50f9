import { hash, verify } from "@node-rs/argon2";
import { ServiceError } from "@portcullis/contracts";
import { isRepetition, isSequence, isWellKnown } from "./well-known.ts";

/** argon2id (the library's default variant) as in RFC 9106 section 4, second recommended option: 64 MiB, 3 passes; one lane. */
const cost = { memoryCost: 65_536, timeCost: 3, parallelism: 1 } as const;

/** NIST SP 800-63B-4 3.1.1.2: alone at least 15 characters, at least 8 beside a second factor; no composition rules. */
const lengthMinAlone = 15;
const lengthMinWithSecondFactor = 8;
const lengthMax = 256;

/** @throws {ServiceError} invalid, naming what is wrong with it and never the password. */
export function requireGoodPassword(
  password: string,
  facts: { readonly email: string; readonly secondFactor: boolean },
): void {
  const problem = problemWith(password.normalize("NFKC"), facts);
  if (problem !== null) throw new ServiceError("invalid", { issues: [{ path: "password", message: problem }] });
}

function problemWith(
  password: string,
  { email, secondFactor }: { readonly email: string; readonly secondFactor: boolean },
): string | null {
  const lengthMin = secondFactor ? lengthMinWithSecondFactor : lengthMinAlone;
  const length = [...password].length;
  if (length < lengthMin) return `needs at least ${lengthMin} characters`;
  if (length > lengthMax) return `has more than ${lengthMax} characters`;
  const folded = password.toLowerCase();
  const address = email.toLowerCase();
  if (folded.includes(address) || address.includes(folded)) return "is too close to the e-mail address";
  if (isRepetition(folded) || isSequence(folded) || isWellKnown(folded)) return "is one that attackers try first";
  return null;
}

export interface Passwords {
  hash(password: string): Promise<string>;
  /** Takes as long for an account that does not exist (`stored` null), so that time tells nobody which addresses have one. */
  matches(stored: string | null, password: string): Promise<boolean>;
}

/** argon2 takes 64 MiB each: a burst of sign-ins must not take the machine's memory. */
const concurrentMax = 4;
/** As many as are through before whoever asked stops waiting for the answer. */
const waitingMax = 64;

export async function createPasswords(): Promise<Passwords> {
  const bounded = createBound(concurrentMax, waitingMax);
  const dummy = await hash("nobody has this password", cost);
  return {
    hash: (password) => bounded(() => hash(password.normalize("NFKC"), cost)),
    matches: (stored, password) =>
      bounded(async () => {
        const right = await verify(stored ?? dummy, password.normalize("NFKC"));
        return right && stored !== null;
      }),
  };
}

/** Runs at most `concurrent` at once, in order. The rest waits, or is refused as busy. */
export function createBound(concurrent: number, waitingLimit: number) {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running < concurrent) running += 1;
    else if (waiting.length >= waitingLimit) throw new ServiceError("busy");
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes straight to whoever waits longest, so that nobody can slip in between.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

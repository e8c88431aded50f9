import { hash, verify } from "@node-rs/argon2";
import { ServiceError } from "@portcullis/contracts";

/** argon2id (the library's default variant) as in RFC 9106 section 4, second recommended option: 64 MiB, 3 passes; one lane. */
const cost = { memoryCost: 65_536, timeCost: 3, parallelism: 1 } as const;

/** NIST SP 800-63B-4 3.1.1.2: alone at least 15 characters, at least 8 beside a second factor; no composition rules. */
const lengthMinAlone = 15;
const lengthMinWithSecondFactor = 8;
const lengthMax = 256;

const wellKnown = [
  "password",
  "passwort",
  "qwertyuiop",
  "qwertyuiopasdfghjkl",
  "1234567890",
  "letmein",
  "iloveyou",
  "correcthorsebatterystaple",
  "correct horse battery staple",
  "administrator",
  "trustno1",
  "changeme",
  "portcullis",
];

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
  if (folded.includes(email.toLowerCase()) || email.toLowerCase().includes(folded))
    return "is too close to the e-mail address";
  if (isRepetition(folded) || isWellKnown(folded)) return "is one that attackers try first";
  return null;
}

/** `abcabcabcabcabc`, `aaaaaaaaaaaaaaa`, `passwordpassword1`. */
function isRepetition(text: string): boolean {
  for (let unit = 1; unit <= text.length / 3; unit += 1) {
    if (
      text ===
      text
        .slice(0, unit)
        .repeat(Math.ceil(text.length / unit))
        .slice(0, text.length)
    )
      return true;
  }
  return false;
}

function isWellKnown(text: string): boolean {
  let rest = text;
  for (const word of [...wellKnown].sort((a, b) => b.length - a.length)) rest = rest.replaceAll(word, "");
  // What a well-known word leaves over must be worth something on its own.
  return rest.length < text.length && rest.replaceAll(/[0-9\W_]/g, "").length < 6;
}

export interface Passwords {
  hash(password: string): Promise<string>;
  /** Takes as long for an account that does not exist (`stored` null), so that time tells nobody which addresses have one. */
  matches(stored: string | null, password: string): Promise<boolean>;
}

/** argon2 takes 64 MiB each: a burst of sign-ins must not take the machine's memory. */
const concurrentMax = 4;

export async function createPasswords(): Promise<Passwords> {
  let running = 0;
  const waiting: (() => void)[] = [];
  const waitingMax = 256;
  async function bounded<T>(work: () => Promise<T>): Promise<T> {
    if (running >= concurrentMax) {
      if (waiting.length >= waitingMax) throw new ServiceError("busy");
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  }
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

import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { exitCodes, Sorry } from "../exit.ts";

const stored = z.strictObject({ url: z.string(), email: z.string(), cookie: z.string() });
/** An owner's session with one server, as `sign-in` left it. */
export type SignedIn = z.infer<typeof stored>;

/** The XDG Base Directory Specification says where. */
const file = (): string => {
  const { XDG_CONFIG_HOME } = process.env;
  return join(XDG_CONFIG_HOME || join(homedir(), ".config"), "portcullis", "owner.json");
};

/** @throws {Sorry} the file is not what `sign-in` writes */
export async function readSignedIn(): Promise<SignedIn | null> {
  let text: string;
  try {
    text = await readFile(file(), "utf8");
  } catch {
    return null;
  }
  try {
    return stored.parse(JSON.parse(text));
  } catch {
    throw new Sorry(exitCodes.usage, `${file()} is damaged: sign in again`);
  }
}

/** Readable by this user only: whoever has the cookie is the owner. */
export async function keepSignedIn(signedIn: SignedIn): Promise<void> {
  await mkdir(dirname(file()), { recursive: true, mode: 0o700 });
  await writeFile(file(), `${JSON.stringify(signedIn)}\n`, { mode: 0o600 });
  // The mode counts for a new file only.
  await chmod(file(), 0o600);
}

export async function forgetSignedIn(): Promise<void> {
  await rm(file(), { force: true });
}

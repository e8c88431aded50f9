import { z } from "zod";
import { id, password } from "../http/fields.ts";
import { parseRequest } from "../http/issues.ts";
import { response } from "../passkeys/fields.ts";

/** Of names nothing is asked but their size: which there are is nobody's business. */
const name = z
  .string()
  .min(1)
  .max(128)
  .refine((text) => text.isWellFormed());
const passphrase = z.strictObject({ id: name, passphrase: password });
const passkey = z.strictObject({ id: name, signInId: id, response });
const begin = z.strictObject({ begin: z.literal("passkey"), id: name });

/** What somebody shows for a ticket. */
export type Shown = z.output<typeof passphrase> | z.output<typeof passkey>;
export type Begin = z.output<typeof begin>;

/** @throws {ServiceError} invalid */
export function postedJson(body: unknown): Shown | Begin {
  const json = jsonOf(body);
  const has = (field: string) => typeof json === "object" && json !== null && Object.hasOwn(json, field);
  if (has("begin")) return parseRequest(begin, json);
  return has("signInId") ? parseRequest(passkey, json) : parseRequest(passphrase, json);
}

/** @returns null for what no form of ours sends. */
export function postedForm(body: unknown): Shown | null {
  const form = body instanceof URLSearchParams ? body : new URLSearchParams();
  const [id, signInId] = [form.get("id"), form.get("signInId") ?? ""];
  const parsed =
    signInId === ""
      ? passphrase.safeParse({ id, passphrase: form.get("passphrase") })
      : passkey.safeParse({ id, signInId, response: jsonOf(form.get("response")) });
  return parsed.success ? parsed.data : null;
}

function jsonOf(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}

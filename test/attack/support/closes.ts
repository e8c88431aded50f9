import { type CloseCodeName, closeCodes } from "@portcullis/protocol";
import type { Close } from "./attacker.ts";

/** Code and reason as the table has them. */
export function closeOf(name: CloseCodeName): Close {
  return { code: closeCodes[name].code, reason: name };
}

/** The text frame of somebody who has proven nothing: the same bytes for every cause. */
export const bareDenied = '{"t":"denied","code":"denied"}';

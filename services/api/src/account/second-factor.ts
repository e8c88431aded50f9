import { z } from "zod";
import { code, recoveryCode } from "../http/fields.ts";
import { invalid } from "../http/issues.ts";

/** To spread into a body: one of the two. */
export const secondFactorFields = {
  code: code.optional().describe("from the authenticator app"),
  recoveryCode: recoveryCode.optional().describe("in place of `code`; used up by it"),
};
const both = z.object(secondFactorFields);

export interface SecondFactor {
  readonly kind: "code" | "recovery";
  readonly value: string;
}

/** @throws {ServiceError} `invalid` where both are given. */
export function secondFactorOf({ code, recoveryCode }: z.infer<typeof both>): SecondFactor | null {
  if (code !== undefined && recoveryCode !== undefined) {
    throw invalid({ path: "recoveryCode", message: "must not stand beside code: give one of them" });
  }
  if (code !== undefined) return { kind: "code", value: code };
  return recoveryCode === undefined ? null : { kind: "recovery", value: recoveryCode };
}

/** @throws {ServiceError} `invalid` where none or both are given. */
export function requiredSecondFactorOf(body: z.infer<typeof both>): SecondFactor {
  const factor = secondFactorOf(body);
  if (factor === null) throw invalid({ path: "code", message: "is required, or recoveryCode in its place" });
  return factor;
}

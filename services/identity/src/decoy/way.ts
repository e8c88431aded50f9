import type { SessionRole } from "@portcullis/contracts";
import type { OnFailure } from "@portcullis/policy";
import type { Standing } from "../penalties/penalties.ts";

export interface Comer {
  readonly rules: Pick<OnFailure, "then">;
  /** They came with something that the owner has planted: nobody who may come in has it. */
  readonly isCanary: boolean;
  readonly role: SessionRole;
  readonly standing: Pick<Standing, "spent">;
  /** They were in a decoy not long ago. */
  readonly isSticky: boolean;
}

/**
 * Where somebody goes whose box has opened. Only a policy that says so has a decoy, and it is for those who come as a member: whoever is the owner's
 * proves it with something that is not found lying about. With a canary on any other socket, they get what a wrong key gets.
 */
export function wayOf({ rules, isCanary, role, standing, isSticky }: Comer): "in" | "decoy" | "refused" {
  const hasDecoy = rules.then === "decoy" && role === "member";
  if (isCanary) return hasDecoy ? "decoy" : "refused";
  return hasDecoy && (isSticky || standing.spent) ? "decoy" : "in";
}

import { z } from "zod";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

const of = z.enum(["member", "socket"]);

/** A time-based one-time code (RFC 6238) of the member's authenticator, or of the one that the socket's people share. */
export const otp = {
  document: strict({ gate: z.literal("otp"), of: of.default("member") }),
  stored: strict({ gate: z.literal("otp"), of }),
  place: "anywhere",
  dialogue: "once",
  prompt: () => null,
  decided: () => null,
  needs: (item: { readonly gate: string; readonly of: "member" | "socket" }) => ({ gate: "otp", of: item.of }),
  playable: () => true,
  // Three steps of time are taken.
  among: () => 1_000_000 / 3,
  restsOn: (item: { readonly gate: string; readonly of: "member" | "socket" }) => `${item.of}-authenticator`,
} satisfies Gate;

import { z } from "zod";
import { integer, strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

/** Accounts that have to say yes. */
const quorum = integer(1, 5);
/** Whether the socket's approvers are told by mail that somebody waits. */
const notify = z.enum(["mail", "none"]);

/**
 * People of the socket let the waiting connection in, one by one. They type the number that its client shows, so that who taps through
 * whatever is asked of them lets in nobody (CISA, "Implementing Number Matching in MFA Applications", 2022). Proves nothing about who connects.
 */
export const approval = {
  document: strict({ gate: z.literal("approval"), quorum: quorum.default(1), notify: notify.default("mail") }),
  stored: strict({ gate: z.literal("approval"), quorum, notify }),
  place: "anywhere",
  dialogue: "waits",
  prompt: ({ quorum }: { readonly gate: string; readonly quorum: number }) => ({ by: "approval", needed: quorum }),
  decided: () => null,
  needs: () => null,
} satisfies Gate;

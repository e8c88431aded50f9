import { z } from "zod";
import { duration } from "../duration.ts";
import { answersMax } from "../machine/state.ts";
import { strict } from "../strict.ts";
import { risks } from "../when/conditions.ts";

/** Steps of a script, and entries of what came of it. */
export const stepsMax = 200;

const gate = z.string().regex(/^[a-z]{2,16}$/, { error: "must be the name of a gate" });
const at = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, { error: "must be a position such as 1.0" });
const right = z.boolean();
const meant = { at: at.optional(), right: right.default(true) };

/** The word by which a step is told from the others, and what it holds. */
const steps = {
  answer: strict({ answer: gate, ...meant }),
  /** Picks a gate that waits, unless it is waited for already; then what becomes of it. `nothing`: it goes on. */
  wait: strict({
    wait: gate,
    at: at.optional(),
    then: z.enum(["confirmed", "refused", "spent", "nothing"]).default("confirmed"),
  }),
  offer: strict({ offer: z.array(strict({ gate, ...meant })).max(answersMax) }),
  pass: strict({ pass: duration("1s", "24h") }),
  leave: strict({ leave: z.literal(true) }),
  /** The owner removes the member, the key or an authenticator. */
  revoke: strict({ revoke: z.literal(true) }),
} as const;
const words = Object.keys(steps);

export const stepSchema = z.union([steps.answer, steps.wait, steps.offer, steps.pass, steps.leave, steps.revoke], {
  error: () => `must be a step, one of: ${words.join(", ")}`,
});
export const scriptSchema = z.array(stepSchema).max(stepsMax, { error: `must hold at most ${stepsMax} steps` });
/** What a scripted client does, as a person writes it: `[{"answer": "otp", "right": false}, {"pass": "10s"}]`. */
export type ScriptDocument = z.input<typeof scriptSchema>;
export type Script = z.output<typeof scriptSchema>;

const enrolled = z.array(gate).max(16);

/** Who comes, and from where. What is absent: somebody who has everything that the policy asks for, from an unknown address, now. */
export const playFactsSchema = strict({
  key: z.boolean().optional().describe("whether they hold an app key; true unless set"),
  ticket: z.boolean().optional().describe("whether they bring a ticket; true unless set"),
  member: strict({ name: z.string().min(1).max(128), enrolled: enrolled.optional() })
    .nullable()
    .optional()
    .describe("null: nobody is named"),
  socketEnrolled: enrolled.optional(),
  address: z.string().max(64).optional(),
  risk: z.enum(risks).optional(),
  at: z.iso.datetime({ error: "must be a time like 2027-01-31T12:00:00Z" }).optional(),
});
export type PlayFacts = z.output<typeof playFactsSchema>;

import { z } from "zod";
import { duration, milliseconds } from "./duration.ts";
import { type GateItem, gateDocument, gateOf } from "./gates/registry.ts";
import { gatesIn, type Item, itemsDocument, itemsStored } from "./items.ts";
import { strict } from "./strict.ts";

/** Each of them is looked at whenever a session changes. */
const rulesMax = 8;
const classPattern = /^[a-z][a-z0-9-]{0,31}$/;
const classError = "must be 1 to 32 of a-z, 0-9 and -, beginning with a letter";
const kindError = "must have exactly one of: every, on, message";
const gatesError = "must have exactly one of: gates, gate";
const forDefaultMs = 5 * 60_000;

/** What is asked for again while a session lives. `at` of a rule is its index. */
export type StepUpRule =
  | { readonly on: "every"; readonly everyMs: number; readonly gates: readonly Item[] }
  | { readonly on: "demand"; readonly gates: readonly Item[] }
  | { readonly on: "message"; readonly class: string; readonly forMs: number; readonly gates: readonly Item[] };

/** Milliseconds, as a policy has them. */
interface Deadlines {
  readonly answerMs: number;
  readonly waitMs: number;
  readonly handshakeMs: number;
}

/** All that a session needs to know of it. */
export interface During {
  readonly rules: readonly StepUpRule[];
  readonly attempts: number;
  readonly deadlines: Deadlines;
}

const messageClass = z.string({ error: classError }).regex(classPattern, { error: classError });
const written = {
  gates: itemsDocument.optional(),
  every: duration("10s", "24h").optional(),
  on: z.literal("demand").optional(),
  message: messageClass.optional(),
  for: duration("10s", "24h").optional(),
};

/** `gate` and what belongs to it may stand in the place of `gates`: the shorthand for one gate. */
const ruleDocument = z.looseObject(written).transform((given, context): StepUpRule => {
  const { gates: listed, every, on, message, for: forMs, ...inline } = given;
  const refuse = (path: string[], text: string) => {
    context.issues.push({ code: "custom", path, message: text, input: given });
    return z.NEVER;
  };
  if ([every, on, message].filter((each) => each !== undefined).length !== 1) return refuse([], kindError);
  const isShort = Object.hasOwn(inline, "gate");
  if (isShort === (listed !== undefined)) return refuse([], gatesError);
  let gates = listed;
  if (isShort) {
    const item = gateDocument.safeParse(inline);
    if (!item.success) {
      for (const issue of item.error.issues) refuse(issue.path.map(String), issue.message);
      return z.NEVER;
    }
    gates = [item.data];
  } else {
    const [unknown] = Object.keys(inline);
    if (unknown !== undefined) return refuse([unknown], `not known here; allowed: ${Object.keys(written).join(", ")}`);
  }
  if (gates === undefined) return refuse([], gatesError);
  if (forMs !== undefined && message === undefined) return refuse(["for"], "belongs to a rule for a message class");
  const misfit = gatesIn(gates).find((item) => !mayBeAskedAgain(item));
  if (misfit !== undefined) return refuse([], `${misfit.gate} cannot be asked for while a session lives`);
  if (every !== undefined) return { on: "every", everyMs: every, gates };
  if (message === undefined) return { on: "demand", gates };
  return { on: "message", class: message, forMs: forMs ?? forDefaultMs, gates };
});

const ruleStored = z.discriminatedUnion("on", [
  strict({ on: z.literal("every"), everyMs: milliseconds("10s", "24h"), gates: itemsStored }),
  strict({ on: z.literal("demand"), gates: itemsStored }),
  strict({ on: z.literal("message"), class: messageClass, forMs: milliseconds("10s", "24h"), gates: itemsStored }),
]);

export const duringDocument = z
  .array(ruleDocument)
  .max(rulesMax, { error: `must hold at most ${rulesMax} rules` })
  .check(({ value, issues }) => {
    const message = "must not be ruled twice: which of the two would hold?";
    for (const index of twice(value)) issues.push({ code: "custom", path: [index, "message"], message, input: value });
  });
export const duringStored = z.array(ruleStored).max(rulesMax);

/** For what a session keeps of its policy. */
export const duringSchema: z.ZodType<During> = strict({
  rules: duringStored,
  attempts: z.number().int().min(1).max(10),
  deadlines: strict({
    answerMs: milliseconds("5s", "10m"),
    waitMs: milliseconds("10s", "10m"),
    handshakeMs: milliseconds("10s", "60m"),
  }),
});

/** Null where nothing is asked for again. */
export function duringOf({
  during,
  onFailure,
  deadlines,
}: {
  readonly during: readonly StepUpRule[];
  readonly onFailure: { readonly attempts: number };
  readonly deadlines: Deadlines;
}): During | null {
  return during.length === 0 ? null : { rules: during, attempts: onFailure.attempts, deadlines };
}

/** The items of all rules; of what was refused, which a check sees too, nothing. */
export function askedAgain(rules: readonly Partial<StepUpRule>[]): readonly Item[] {
  return rules.flatMap(({ gates = [] }) => gates);
}

/** Those of a rule. */
export function gatesOfRule({ gates }: StepUpRule): readonly GateItem[] {
  return gatesIn(gates);
}

/** What the opening decides, or what can only be brought along, is no question to a session. */
function mayBeAskedAgain(item: GateItem): boolean {
  const gate = gateOf(item);
  return gate.place === "anywhere" && gate.decided({ keyId: null, ticket: false }) === null;
}

function twice(rules: readonly StepUpRule[]): number[] {
  const classes = rules.map((rule) => (rule.on === "message" ? rule.class : null));
  return classes.flatMap((each, index) => (each !== null && classes.indexOf(each) !== index ? [index] : []));
}

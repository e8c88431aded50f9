import { z } from "zod";
import { unfitIn } from "./bound.ts";
import type { Leaf } from "./composition.ts";
import { duration, milliseconds } from "./duration.ts";
import { askedAgain, duringDocument, duringStored, type StepUpRule } from "./during.ts";
import { dialogueOf, gateOf } from "./gates/registry.ts";
import { gatesIn, type Item, itemsDocument, itemsStored, type PlacedGate, placed, visitGates } from "./items.ts";
import { type OnFailure, onFailureDocument, onFailureStored } from "./on-failure.ts";
import { integer, strict } from "./strict.ts";

const originsMax = 64;
const originError = "must be an origin such as https://app.example.com: http or https, no path, lower case";

/** Exactly what a browser sends in `Origin` (RFC 6454 section 6.2), so that comparing strings is enough. */
const origin = z
  .string({ error: originError })
  .max(256, { error: originError })
  .regex(/^https?:\/\/[^/]+$/, { error: originError, abort: true })
  .refine((text) => URL.canParse(text) && new URL(text).origin === text, { error: originError });

const mode = z.enum(["prompted", "offered"]);
const messaging = {
  /** Everybody to everybody, or members to the owner's program, which answers one or all. */
  mode: z.enum(["broadcast", "consumer"]),
  maxBytes: integer(1, 1_048_576),
  perSecond: integer(1, 1000),
  consumerPerSecond: integer(1, 10_000),
};
const historyError = 'must be "off", { messages: 1 to 1000 } or { minutes: 1 to 60 }';
/** What a socket may hold of its history, whatever the policy says: all of it lies in memory somewhere. */
const historyBytesMax = 16 * 1_048_576;
const history = z.union(
  [z.literal("off"), strict({ messages: integer(1, 1000) }), strict({ minutes: integer(1, 60) })],
  { error: historyError },
);
const historyStored = strict({ messages: integer(1, 1000), ms: integer(1, 86_400_000) }).nullable();
const ticket = z.enum(["required", "optional"]);
const origins = z.array(origin).max(originsMax, { error: `must hold at most ${originsMax} origins` });
const session = z.enum(["none", "required"]);
const endToEnd = z.enum(["off", "allowed", "required"]);
const suite = z.enum(["any", "post-quantum"]);
/** The smallest that a sealed body can be with the post-quantum suite is 5 KiB and something. */
const sealedBytesMin = 8_192;
/** How long a lost connection can be replaced by another one without passing the gates again. */
const resume = z.union([z.literal("off"), duration("5s", "10m")], {
  error: 'must be "off" or a duration from 5s to 10m',
});

const answerDefaultMs = 30_000;
const waitDefaultMs = 10 * 60_000;
const handshakeDefaultMs = 2 * 60_000;
/** With a gate that waits for somebody. */
const parkedDefaultMs = 15 * 60_000;
/** No session lives longer: nobody is left who could ask for more. */
const dayMs = 24 * 3_600_000;

/**
 * The policy as an owner writes it. Parsing yields the stored form. Use `parsePolicy` where problems go back to a person.
 *
 * Fields, bounds and defaults are in docs/policy.md, which a test compares with this schema.
 */
export const policyDocumentSchema = strict({
  before: strict({ ticket: ticket.default("optional") }).prefault({}),
  gates: itemsDocument,
  mode: mode.default("prompted"),
  onFailure: onFailureDocument.prefault({}),
  deadlines: strict({
    answer: duration("5s", "10m").optional().describe("30s unless set, or all of a shorter `handshake`"),
    wait: duration("30s", "10m").optional().describe("10m unless set, or all of a shorter `handshake`"),
    handshake: duration("10s", "60m").optional().describe("2m unless set; 15m where a gate waits for somebody"),
  }).prefault({}),
  session: duration("1s", "24h").prefault("12h"),
  messaging: strict({
    mode: messaging.mode.default("broadcast"),
    maxBytes: messaging.maxBytes.default(65_536),
    perSecond: messaging.perSecond.default(50),
    consumerPerSecond: messaging.consumerPerSecond.default(1000),
    history: history.default("off"),
  }).prefault({}),
  resume: resume.prefault("60s"),
  origins: origins.default([]),
  anonymous: z.boolean().default(false),
  encryption: strict({
    session: session.default("none"),
    endToEnd: endToEnd.default("off"),
    suite: suite.default("any"),
  }).prefault({}),
  during: duringDocument.default([]),
})
  .check(({ value: { gates, mode, deadlines, messaging, encryption, during, onFailure }, issues }) => {
    const { handshakeMs } = wholeDeadlines([...gates, ...askedAgain(during)], deadlines);
    for (const name of ["answer", "wait"] as const) {
      const message = "must not be longer than deadlines.handshake, which ends the handshake before";
      if ((deadlines[name] ?? 0) > handshakeMs)
        issues.push({ code: "custom", path: ["deadlines", name], message, input: deadlines[name] });
    }
    const { history, maxBytes } = messaging;
    if (history !== "off" && "messages" in history && history.messages * maxBytes > historyBytesMax) {
      const message = `must not be more than 16 MiB: with messages of ${maxBytes} bytes, at most ${Math.floor(historyBytesMax / maxBytes)}`;
      issues.push({ code: "custom", path: ["messaging", "history", "messages"], message, input: history });
    }
    if (messaging.mode === "consumer" && history !== "off") {
      const message =
        'must be "off" where messages go to a consumer: what is said to one is nothing for another to catch up on';
      issues.push({ code: "custom", path: ["messaging", "history"], message, input: history });
    }
    if (encryption.endToEnd !== "off" && maxBytes < sealedBytesMin) {
      const message = `must be at least ${sealedBytesMin} where bodies are sealed end to end, which alone takes more than 5 KiB`;
      issues.push({ code: "custom", path: ["messaging", "maxBytes"], message, input: maxBytes });
    }
    for (const { path, message } of unfitIn(gates))
      issues.push({ code: "custom", path: ["gates", ...path], message, input: gates });
    for (const [index, rule] of during.entries())
      for (const { path, message } of unfitIn(askedAgain([rule])))
        issues.push({ code: "custom", path: ["during", index, "gates", ...path], message, input: during });
    const asking = gatesIn(gates).find((item) => dialogueOf(item) !== "once");
    if (onFailure.then === "decoy" && !gatesIn(gates).some((item) => gateOf(item).place === "anywhere")) {
      const message = "must not be decoy where no gate has to be answered: nobody would ever fail";
      issues.push({ code: "custom", path: ["onFailure", "then"], message, input: onFailure });
    }
    if (onFailure.then === "decoy" && encryption.endToEnd === "required") {
      const message =
        "must not be decoy where members have to seal end to end: nobody there could answer, and what others seem to say would be in the clear";
      issues.push({ code: "custom", path: ["onFailure", "then"], message, input: onFailure });
    }
    if (mode === "offered" && asking !== undefined) {
      // Whoever offers is told nothing, and these gates have to say something first.
      const message = `must be prompted: ${asking.gate} has to ask first`;
      issues.push({ code: "custom", path: ["mode"], message, input: mode });
    }
  })
  .transform(
    ({ deadlines, session, messaging, resume, ...same }): Policy => ({
      ...same,
      deadlines: wholeDeadlines([...same.gates, ...askedAgain(same.during)], deadlines),
      sessionMs: session,
      messaging: { ...messaging, history: wholeHistory(messaging) },
      resumeMs: resume === "off" ? 0 : resume,
    }),
  );
export type PolicyDocument = z.input<typeof policyDocumentSchema>;

/** The stored form: everything present, durations in milliseconds, plain JSON. Parse it on restore. */
export const policySchema = strict({
  before: strict({ ticket }),
  gates: itemsStored,
  mode,
  onFailure: onFailureStored,
  deadlines: strict({
    answerMs: milliseconds("5s", "10m"),
    // The default may be that of a shorter handshake.
    waitMs: milliseconds("10s", "10m"),
    handshakeMs: milliseconds("10s", "60m"),
  }),
  sessionMs: milliseconds("1s", "24h"),
  messaging: strict({ ...messaging, history: historyStored }),
  resumeMs: integer(0, 600_000),
  origins,
  anonymous: z.boolean(),
  encryption: strict({ session, endToEnd, suite }),
  during: duringStored,
});

export interface Policy {
  /** What has to be had before the connection. */
  readonly before: { readonly ticket: "required" | "optional" };
  /** All of these, in this order. */
  readonly gates: readonly Item[];
  readonly mode: "prompted" | "offered";
  readonly onFailure: OnFailure;
  readonly deadlines: { readonly answerMs: number; readonly waitMs: number; readonly handshakeMs: number };
  readonly sessionMs: number;
  readonly messaging: {
    readonly mode: "broadcast" | "consumer";
    readonly maxBytes: number;
    readonly perSecond: number;
    /** Of the owner's program, which speaks to all. */
    readonly consumerPerSecond: number;
    /** Null: nothing is kept. Otherwise the last so many, none older than `ms`. */
    readonly history: { readonly messages: number; readonly ms: number } | null;
  };
  /** How long after its connection is lost a session can go on over another one; 0: not at all. */
  readonly resumeMs: number;
  /** Empty: any. */
  readonly origins: readonly string[];
  readonly anonymous: boolean;
  /** `required`: messages travel sealed, upwards to the server, downwards to everybody on the socket. */
  readonly encryption: {
    readonly session: "none" | "required";
    /** Beyond the server: whether bodies can be sealed to somebody of the socket's directory, and whether members' must be. */
    readonly endToEnd: "off" | "allowed" | "required";
    /** Under which suites a client may open: what is recorded of others opens to a quantum computer that may come. */
    readonly suite: "any" | "post-quantum";
  };
  /** What is asked for again while a session lives. */
  readonly during: readonly StepUpRule[];
}

interface WrittenDeadlines {
  readonly answer?: number | undefined;
  readonly wait?: number | undefined;
  readonly handshake?: number | undefined;
}

function wholeDeadlines(items: readonly Item[], { answer, wait, handshake }: WrittenDeadlines): Policy["deadlines"] {
  const waits = gatesIn(items).some((item) => dialogueOf(item) === "waits");
  const handshakeMs = handshake ?? (waits ? parkedDefaultMs : handshakeDefaultMs);
  return {
    answerMs: answer ?? Math.min(answerDefaultMs, handshakeMs),
    waitMs: wait ?? Math.min(waitDefaultMs, handshakeMs),
    handshakeMs,
  };
}

function wholeHistory(messaging: {
  readonly maxBytes: number;
  readonly history: z.output<typeof history>;
}): Policy["messaging"]["history"] {
  const { history, maxBytes } = messaging;
  if (history === "off") return null;
  if ("messages" in history) return { messages: history.messages, ms: dayMs };
  return { messages: Math.min(1000, Math.floor(historyBytesMax / maxBytes)), ms: history.minutes * 60_000 };
}

/** Every gate with its position, in the order of the document. */
export function leavesOf(policy: Policy): PlacedGate[] {
  const leaves: PlacedGate[] = [];
  visitGates(policy.gates, (at, item) => leaves.push(placed(at, item)));
  return leaves;
}

/** What `before` asks for, which stands in front of everything else. */
export function beforeOf({ before }: Partial<Pick<Policy, "before">>): readonly Leaf[] {
  return before?.ticket === "required" ? [{ at: "before.ticket", item: { gate: "ticket" } }] : [];
}

/** Whether nobody gets in without an app key: `key` stands at the top only, so one is enough to know. */
export function requiresKey(policy: Policy): boolean {
  return policy.gates.some((item) => "gate" in item && item.gate === "key");
}

/** Whether nobody gets in without a ticket. One inside `anyOf` is a way among others. */
export function requiresTicket(policy: Policy): boolean {
  return policy.before.ticket === "required" || policy.gates.some((item) => "gate" in item && item.gate === "ticket");
}

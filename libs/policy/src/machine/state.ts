import { z } from "zod";
import { takes, topOf, visitParts } from "../composition.ts";
import { depthMax, leavesMax, waitsMax } from "../items.ts";
import { policySchema } from "../policy.ts";
import { integer, strict } from "../strict.ts";
import { sequenceOf } from "./progress.ts";

/** Answers looked at in one frame. What is beyond counts as unexpected. */
export const answersMax = 16;

/** Why a handshake was denied. For audit, metrics and traces; never for the client. */
export const denyCauses = [
  "no-key",
  "no-ticket",
  "no-member",
  "not-enrolled",
  "too-many-failures",
  "deadline",
  "left",
  "not-recognised",
  "revoked",
  "refused",
  "reused-id",
  /** So much has failed that nothing is looked at for a while. */
  "held",
] as const;
export type DenyCause = (typeof denyCauses)[number];

const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const position = z.string().min(1).max(64);
const epochMs = z.number().int().nonnegative();
const enrolled = z.array(z.string().regex(/^[a-z]{2,16}$/)).max(16);

/** A leaf is passed once and a failure counted at most ten times; a last frame may hold more than either. */
const idsMax = leavesMax + 2 + 10 + answersMax + waitsMax;

export const branchesSchema = z.array(strict({ at: position, take: z.enum(takes) })).max(leavesMax * depthMax);

/**
 * All there is of a handshake: plain JSON, small, no secret (answers stay with whoever drives the machine, under `ref`).
 * The policy is part of it: a change of the policy does not move the goal of a handshake under way.
 */
export const handshakeStateSchema = strict({
  policy: policySchema,
  /** The app key under which the box opened. */
  keyId: id.nullable(),
  /** Claimed until a gate bound to the member has passed. */
  member: strict({ id: z.string().min(1).max(128), enrolled }).nullable(),
  socketEnrolled: enrolled,
  /** Which way each `when` went, decided once. */
  branches: branchesSchema,
  ticket: z.boolean(),
  /** A proof of work comes first. */
  work: z.boolean(),
  /** Gates at which nothing is looked at. */
  held: enrolled,
  /** Epoch ms at which the handshake as a whole is denied. */
  deadlineMs: epochMs,
  opened: z.boolean(),
  /** Positions passed, in order of time. */
  passed: z.array(position).max(leavesMax + 2),
  failures: integer(0, 10),
  /** The one challenge that may be answered now. */
  outstanding: strict({ cid: id, byMs: epochMs }).nullable(),
  /** Answers that are being verified. */
  pending: z.array(strict({ ref: id, at: position })).max(answersMax),
  /** A wait that is being begun. */
  starting: strict({ id, at: position, byMs: epochMs }).nullable(),
  /** The wait that goes on, and until when (epoch ms). */
  waiting: strict({ id, at: position, byMs: epochMs }).nullable(),
  starts: integer(0, waitsMax),
  /** Every challenge and every answer there was: none is used twice. */
  cids: z.array(id).max(idsMax),
  refs: z.array(id).max(idsMax),
  verdict: z
    .discriminatedUnion("is", [
      strict({ is: z.literal("accept") }),
      strict({ is: z.literal("deny"), cause: z.enum(denyCauses) }),
    ])
    .nullable(),
}).check(({ value: state, issues }) => {
  const refuse = (path: string, message: string) =>
    issues.push({ code: "custom", path: [path], message, input: state });
  if (state.failures > state.policy.onFailure.attempts) refuse("failures", "more than attempts");
  const whens: string[] = [];
  visitParts(topOf(state.policy.gates), (at, item) => {
    if ("when" in item) whens.push(at);
  });
  const decided = state.branches.map(({ at }) => at);
  if (decided.length !== whens.length || !whens.every((at, index) => decided[index] === at))
    refuse("branches", "not those of the policy");
  const known = new Set(sequenceOf(state).map((leaf) => leaf.at));
  if (!state.passed.every((at) => known.has(at))) refuse("passed", "no such gate");
  if (!state.pending.every(({ at }) => known.has(at))) refuse("pending", "no such gate");
  if (new Set(state.passed).size !== state.passed.length) refuse("passed", "a gate twice");
  for (const wait of [state.starting, state.waiting])
    if (wait !== null && !known.has(wait.at)) refuse("waiting", "no such gate");
  if (state.outstanding !== null && state.starting !== null) refuse("outstanding", "while a wait is being begun");
  if (state.outstanding !== null && state.pending.length > 0) refuse("outstanding", "while answers are being verified");
});

export type HandshakeState = z.output<typeof handshakeStateSchema>;

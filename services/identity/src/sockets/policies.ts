import { ServiceError, type simulatePolicy, type validatePolicyDocument } from "@portcullis/contracts";
import {
  explore,
  issuesMax,
  type Policy,
  parsePolicy,
  playFactsSchema,
  scriptSchema,
  simulate,
  validatePolicy,
} from "@portcullis/policy";
import type { z } from "zod";
import { requireOwnSocket, type SocketContext } from "./context.ts";
import { missingWebhooks } from "./webhooks.ts";

type PolicyDocument = Record<string, unknown>;

/** @throws {ServiceError} invalid, with each field that is wrong */
export function requirePolicy(document: PolicyDocument): Policy {
  const parsed = parsePolicy(document);
  if (parsed.ok) return parsed.policy;
  throw new ServiceError("invalid", {
    issues: parsed.issues.map(({ path, message }) => ({ path: path === "" ? "policy" : `policy.${path}`, message })),
  });
}

/** @throws {ServiceError} invalid, with each field that is wrong; values are not repeated */
function requireWritten<Schema extends z.ZodType>(name: string, schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value, { reportInput: false });
  if (parsed.success) return parsed.data;
  throw new ServiceError("invalid", {
    issues: parsed.error.issues
      .slice(0, issuesMax)
      .map(({ path, message }) => ({ path: [name, ...path].map(String).join(".").slice(0, 128), message })),
  });
}

/** @throws {ServiceError} not_found: the socket is not the owner's */
export async function validatePolicyOf(
  context: SocketContext,
  { ownerId, socketId, policy }: z.infer<(typeof validatePolicyDocument)["request"]>,
): Promise<z.infer<(typeof validatePolicyDocument)["reply"]>> {
  const socket = socketId === null ? null : await requireOwnSocket(context, { ownerId, socketId });
  const facts = socket === null ? {} : { socketEnrolled: Object.keys(socket.body.enrolments) };
  const verdict = validatePolicy(policy, facts);
  const missing = socket === null || !verdict.ok ? [] : await missingWebhooks(context, socket.id, verdict.policy);
  if (missing.length > 0) return { ok: false, issues: missing.slice(0, issuesMax), advice: [] };
  const { ok, issues, advice } = verdict;
  return { ok, issues: [...issues], advice: [...advice] };
}

export function simulatePolicyOf(
  { clock }: Pick<SocketContext, "clock">,
  { policy, script, facts }: z.infer<(typeof simulatePolicy)["request"]>,
): z.infer<(typeof simulatePolicy)["reply"]> {
  const parsed = requirePolicy(policy);
  const steps = script === null ? null : requireWritten("script", scriptSchema, script);
  const known = requireWritten("facts", playFactsSchema, facts);
  return { simulation: simulate(parsed, steps, known, clock()), exploration: explore(parsed) };
}

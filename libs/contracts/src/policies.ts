/** What `api` asks of `identity` about policies that are nobody's yet. */
import {
  adviceCodes,
  adviceMax,
  explorationSchema,
  issueCodes,
  issuesMax,
  severities,
  simulationSchema,
  stepsMax,
} from "@portcullis/policy";
import { z } from "zod";
import { request } from "./contract.ts";
import { id, text } from "./fields.ts";

const fromApi = { server: "identity", callers: ["api"] } as const;
const document = z.record(z.string(), z.unknown());

/** What is weaker in a policy than it may look. */
export const advice = z.strictObject({
  code: z.enum(adviceCodes),
  severity: z.enum(severities),
  path: text(256),
  message: text(512),
});

/** Why a policy is not taken. */
const issue = z.strictObject({ code: z.enum(issueCodes), path: text(512), message: text(512) });

export const validatePolicyDocument = request({
  ...fromApi,
  name: "identity.policies.validate",
  /** socketId: then also what the owner's socket has, and has not, for this policy. */
  request: z.strictObject({ ownerId: id, socketId: id.nullable(), policy: document }),
  reply: z.strictObject({
    ok: z.boolean(),
    issues: z.array(issue).max(issuesMax),
    advice: z.array(advice).max(adviceMax),
  }),
  idempotency: "reads only",
  replay: "harmless",
});

export const simulatePolicy = request({
  ...fromApi,
  name: "identity.policies.simulate",
  /** As the owner wrote them. script null: a client that is always right. */
  request: z.strictObject({
    ownerId: id,
    policy: document,
    script: z.array(document).max(stepsMax).nullable(),
    facts: document,
  }),
  reply: z.strictObject({ simulation: simulationSchema, exploration: explorationSchema }),
  idempotency: "reads only",
  replay: "harmless",
});

import { sessionContext, sessionRole } from "@portcullis/contracts";
import { branchesSchema } from "@portcullis/policy";
import { z } from "zod";
import { stepUpsSchema } from "../step-ups/record.ts";
import { terms } from "./terms.ts";

/** Of what a gate was answered with, where something stands on it: the gate, whose it was, and which of its enrolments. */
export const enrolment = z.strictObject({ gate: z.string(), of: z.enum(["member", "socket"]), id: z.string() });
export type Enrolment = z.infer<typeof enrolment>;

export const session = z.strictObject({
  sid: z.string(),
  /** The connection that it is on, or was. */
  hid: z.string(),
  edge: z.string(),
  /** Since when it is on that connection. */
  heldSinceMs: z.number().int(),
  /** When that connection was lost; null while it is there, as far as anybody knows. */
  lostAtMs: z.number().int().nullable(),
  socketId: z.string(),
  /** Of a decoy: where its messages go in the socket's place. */
  room: z.string().nullable(),
  /** Stable id of the member, null for an anonymous session. */
  memberId: z.string().nullable(),
  /** The name others see. */
  member: z.string().nullable(),
  keyId: z.string().nullable(),
  /** Whom it is for. An owner, or a program of theirs, is no member. */
  role: sessionRole,
  context: sessionContext,
  /** For the owner's program, as stated before the verdict. */
  parameters: z.record(z.string(), z.string()),
  gates: z.array(z.string()),
  assurance: z.strictObject({ key: z.boolean(), memberBound: z.boolean(), gates: z.array(z.string()) }),
  /** Enrolments that it stands on: it ends with any of them. */
  enrolments: z.array(enrolment),
  /** SHA-256 of the policy under which it was accepted, base64url. */
  policyHash: z.string(),
  /** Which way each `when` of that policy went. */
  branches: branchesSchema,
  terms,
  /** HMAC of the network from which its first connection came. */
  network: z.string(),
  stepUps: stepUpsSchema,
  acceptedAtMs: z.number().int(),
  expiresAtMs: z.number().int(),
});
export type Session = z.infer<typeof session>;

/** Where its messages go, and by what edges and clients know its socket. */
export function placeOfSession({ room, socketId }: Pick<Session, "room" | "socketId">): string {
  return room ?? socketId;
}

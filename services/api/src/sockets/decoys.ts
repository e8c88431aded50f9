import {
  type DecoyRecord,
  type DecoyScript,
  type DecoyView,
  decoyDeeds,
  endDecoy,
  getDecoyScript,
  listDecoys,
  readDecoy,
  setDecoyScript,
} from "@portcullis/contracts";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { id, memberName, time, timeOf } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import { nextField, pageOf, pageQuery } from "../http/pages.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";

const tags = ["sockets"];
const params = z.strictObject({ id });
const one = z.strictObject({ id, room: id });
const owner = { config: { access: "owner" as const, errors: ["not_found" as const] } };

const decoy = z.object({
  room: id,
  keyId: id.nullable().describe("the app key with which they came"),
  member: z.string().nullable().describe("as whom, by their own word"),
  network: z.string().describe("the same for the same network, and says nothing else of it"),
  since: time,
  last: time.describe("when they last came"),
  sessions: z.number().int().describe("that are there now"),
});
const record = z.object({
  n: z.number().int(),
  at: time,
  deed: z.enum(decoyDeeds),
  gate: z.string().nullable(),
  believed: z.boolean().nullable().describe("of `tried`: whether they were made believe that it was right"),
  body: z.string().nullable().describe("of `said` and `heard`: the first 4 KiB, base64url"),
  bodyBytes: z.number().int().nullable().describe("how long it was"),
});
const recordsQuery = z.strictObject({
  after: z
    .string()
    .regex(/^[1-9][0-9]{0,8}$/, { error: "must be `next` of the page before" })
    .transform(Number)
    .optional()
    .describe("`next` of the page before"),
});
const recordsMax = 100;

const unitsMs = { ms: 1, s: 1_000, m: 60_000 } as const;
const afterError = { error: "must be a duration from 100ms to 60m, written like 800ms, 30s or 5m" };
const after = z
  .string(afterError)
  .regex(/^[1-9][0-9]{0,6}(ms|s|m)$/, afterError)
  .refine((written) => durationMs(written) >= 100 && durationMs(written) <= 3_600_000, afterError)
  .describe("since the line before, or since they came");
const line = z.strictObject({
  after,
  from: memberName.nullish().describe("who says it; nobody with a name unless set"),
  text: z.string().min(1).max(1_024),
});
const script = z.strictObject({
  lines: z.array(line).min(1).max(200),
  repeat: z.boolean().default(false).describe("from the beginning again when it is over"),
});

/** Rooms into which those are let who must not come in, and what is heard there. */
export function decoyRoutes(app: App, { caller }: RouteContext): void {
  app.get(
    "/v1/sockets/:id/decoys",
    {
      ...owner,
      schema: {
        operationId: "listDecoys",
        summary: "Who was let into a decoy",
        tags,
        params,
        querystring: pageQuery,
        response: { 200: z.object({ decoys: z.array(decoy), ...nextField }) },
      },
    },
    async (request) => {
      const { decoys, next } = await caller.call(listDecoys, { ...ownedSocket(request), ...pageOf(request.query) });
      return { decoys: decoys.map(viewOf), next };
    },
  );

  app.get(
    "/v1/sockets/:id/decoys/:room",
    {
      ...owner,
      schema: {
        operationId: "readDecoy",
        summary: "What they did there",
        description: `What was said comes as bytes. At most 1,000 lines and 512 KiB of a room are kept, for 90 days; ${recordsMax} come at once.`,
        tags,
        params: one,
        querystring: recordsQuery,
        response: {
          200: z.object({
            decoy,
            records: z.array(record),
            next: z.number().int().nullable().describe("ask again with this as `after`; null: that was all, so far"),
          }),
        },
      },
    },
    async (request) => {
      const page = { after: request.query.after ?? 0, limit: recordsMax };
      const found = await caller.call(readDecoy, { ...ownedSocket(request), room: request.params.room, ...page });
      return { decoy: viewOf(found.decoy), records: found.records.map(recordOf), next: found.next };
    },
  );

  app.delete(
    "/v1/sockets/:id/decoys/:room",
    {
      ...owner,
      schema: {
        operationId: "endDecoy",
        summary: "Put them out; if they come again, they are looked at anew",
        description: "What was written down stays. With a canary key they are let into another decoy.",
        tags,
        params: one,
        response: { 200: z.object({ closed: z.number().int().describe("sessions that were there") }) },
      },
    },
    async (request) => caller.call(endDecoy, { ...ownedSocket(request), room: request.params.room }),
  );

  app.get(
    "/v1/sockets/:id/decoy",
    {
      ...owner,
      schema: {
        operationId: "getDecoyScript",
        summary: "What is heard in the decoys",
        tags,
        params,
        response: { 200: z.object({ script: script.nullable().describe("null: there is no script") }) },
      },
    },
    async (request) => {
      const { script } = await caller.call(getDecoyScript, ownedSocket(request));
      return { script: script === null ? null : writtenOf(script) };
    },
  );

  app.put(
    "/v1/sockets/:id/decoy",
    {
      ...owner,
      schema: {
        operationId: "setDecoyScript",
        summary: "Have this be heard in the decoys",
        description:
          "For whoever comes from now on. There is no default: nothing that is shipped would be like your socket.",
        tags,
        params,
        body: script,
        response: { 204: nothing("Set") },
      },
    },
    async (request, reply) => {
      await caller.call(setDecoyScript, { ...ownedSocket(request), script: storedOf(request.body) });
      return done(reply);
    },
  );

  app.delete(
    "/v1/sockets/:id/decoy",
    {
      ...owner,
      schema: {
        operationId: "removeDecoyScript",
        summary: "Have no script",
        tags,
        params,
        response: { 204: nothing("Removed") },
      },
    },
    async (request, reply) => {
      await caller.call(setDecoyScript, { ...ownedSocket(request), script: null });
      return done(reply);
    },
  );
}

function viewOf({ sinceMs, lastMs, ...same }: DecoyView) {
  return { ...same, since: timeOf(sinceMs), last: timeOf(lastMs) };
}

function recordOf({ atMs, body, ...same }: DecoyRecord) {
  return { ...same, at: timeOf(atMs), body: body === null ? null : Buffer.from(body).toString("base64url") };
}

function durationMs(written: string): number {
  const unit = written.endsWith("ms") ? "ms" : written.endsWith("s") ? "s" : "m";
  return Number.parseInt(written, 10) * unitsMs[unit];
}

/** The greatest unit in which it is a whole number. */
function durationOf(ms: number): string {
  if (ms % unitsMs.m === 0) return `${ms / unitsMs.m}m`;
  return ms % unitsMs.s === 0 ? `${ms / unitsMs.s}s` : `${ms}ms`;
}

function storedOf({ lines, repeat }: z.output<typeof script>): DecoyScript {
  const entries = lines.map(({ after, from, text }) => ({ afterMs: durationMs(after), from: from ?? null, text }));
  return { entries, repeat };
}

function writtenOf({ entries, repeat }: DecoyScript): z.output<typeof script> {
  return { lines: entries.map(({ afterMs, from, text }) => ({ after: durationOf(afterMs), from, text })), repeat };
}

import { Readable } from "node:stream";
import type { Caller } from "@portcullis/bus";
import {
  auditDays,
  auditEvent,
  auditProblem,
  exportAudit,
  keepAudit,
  listAudit,
  ServiceError,
  type ShownAuditEntry,
  verifyAudit,
} from "@portcullis/contracts";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { id, time, timeOf } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import { nextField, pageOf, pageQuery } from "../http/pages.ts";
import type { RouteContext } from "../routes.ts";
import { type OwnedSocket, ownedSocket } from "./owned-socket.ts";

const url = "/v1/sockets/:id/audit";
const tags = ["sockets"];
const params = z.strictObject({ id });

const text = z.string().optional();
const entry = z.object({
  n: z.number().describe("of its block"),
  index: z.number().describe("within that block"),
  at: time,
  event: auditEvent,
  cause: text.describe("the true one, which nobody outside hears"),
  handshake: text,
  session: text,
  member: text.describe("id of the member"),
  memberName: z.string().nullable().describe("null: nobody by name, or removed since"),
  key: text,
  gate: text,
  network: text.describe("an HMAC: the same for the same network, and no address"),
  by: text.describe("account of whoever did it"),
  byEmail: z.string().nullable().describe("null: nobody, or no more of this socket"),
  count: z.number().optional().describe("where it is a sum"),
  about: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});

const list = pageQuery.extend({
  order: z.enum(["newest", "oldest"]).optional().describe("what comes first; default `newest`"),
  event: auditEvent.optional().describe("only this"),
});
const days = z
  .int()
  .min(auditDays.min)
  .max(auditDays.max)
  .describe(`how long blocks are kept, ${auditDays.min} to ${auditDays.max} days; ${auditDays.default} unless set`);

/** More than ten million blocks: what would go on for longer goes on for ever. */
const partsMax = 5_000;

/** The book of a socket, for its owner. */
export function auditRoutes(app: App, { caller }: RouteContext): void {
  app.get(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listAudit",
        summary: "What was recorded of a socket",
        description:
          "For its owner. Names and addresses are looked up while you read: who was removed has none any more. A page may be empty and not be the last.",
        tags,
        params,
        querystring: list,
        response: { 200: z.object({ entries: z.array(entry), ...nextField, days }) },
      },
    },
    async (request) => {
      const { order = "newest", event = null, ...page } = request.query;
      const found = await caller.call(listAudit, { ...ownedSocket(request), ...pageOf(page), order, event });
      return { ...found, entries: found.entries.map(viewOf) };
    },
  );

  app.get(
    `${url}/export`,
    {
      config: { access: "owner", errors: ["not_found", "conflict"] },
      schema: {
        operationId: "exportAudit",
        summary: "The book as it is kept, and what the server says of it",
        description:
          'A line for each block, `{"hash": …, "block": …}`, where the hash is the SHA-256 of the block\'s bytes as they stand there, and behind the last one a statement that the server\'s identity key has signed. An export that broke off has none. `portcullis audit verify` checks it. `conflict`: the book does not verify, and nothing is signed.',
        tags,
        params,
        response: {
          200: {
            description: "Blocks, and behind them the statement",
            content: { "application/x-ndjson": { schema: z.string() } },
          },
        },
      },
    },
    async (request, reply) => {
      const lines = exportOf(caller, ownedSocket(request));
      // Whatever can be refused is refused before the first byte.
      const first = await lines.next();
      return stream(reply, first.done === true ? "" : first.value, lines);
    },
  );

  app.post(
    `${url}/verify`,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "verifyAudit",
        summary: "Follow the whole chain, with the MACs that only the server can check",
        tags,
        params,
        response: {
          200: z.object({
            ok: z.boolean(),
            blocks: z.number(),
            from: z.number(),
            to: z.number(),
            end: z
              .enum(["known", "unknown"])
              .describe(
                "`unknown`: how far it went is not known, as after a loss of the state store; no sign of anything",
              ),
            problem: auditProblem.nullable(),
          }),
        },
      },
    },
    async (request) => verified(caller, ownedSocket(request)),
  );

  app.put(
    `${url}/retention`,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "keepAudit",
        summary: "How long it is kept",
        tags,
        params,
        body: z.strictObject({ days }),
        response: { 204: nothing("Set") },
      },
    },
    async (request, reply) => {
      await caller.call(keepAudit, { ...ownedSocket(request), days: request.body.days });
      return done(reply);
    },
  );
}

function stream(reply: FastifyReply, first: string, rest: AsyncIterable<string>): FastifyReply {
  const all = async function* () {
    yield first;
    yield* rest;
  };
  return reply.type("application/x-ndjson").send(Readable.from(all()));
}

function viewOf({ atMs, ...same }: ShownAuditEntry): z.infer<typeof entry> {
  return { ...same, at: timeOf(atMs) };
}

async function* exportOf(caller: Pick<Caller, "call">, who: OwnedSocket): AsyncGenerator<string, void> {
  let after: number | null = null;
  let range: { first: number; last: number } | null = null;
  for (let parts = 0; parts < partsMax; parts += 1) {
    const page: { lines: string[]; range: { first: number; last: number }; next: number | null } = await caller.call(
      exportAudit,
      { ...who, after, range },
    );
    yield page.lines.map((line) => `${line}\n`).join("");
    if (page.next === null) return;
    ({ next: after, range } = page);
  }
  throw new ServiceError("unavailable");
}

async function verified(caller: Pick<Caller, "call">, who: OwnedSocket) {
  let blocks = 0;
  let from: number | null = null;
  let after: number | null = null;
  for (let parts = 0; parts < partsMax; parts += 1) {
    const part: Awaited<ReturnType<typeof askFor>> = await askFor(caller, who, after);
    blocks += part.blocks;
    from ??= part.from;
    const { to, problem, next, end } = part;
    if (problem !== null || next === null)
      return { ok: problem === null, blocks, from, to, end: end ?? ("unknown" as const), problem };
    after = next;
  }
  throw new ServiceError("unavailable");
}

function askFor(caller: Pick<Caller, "call">, who: OwnedSocket, after: number | null) {
  return caller.call(verifyAudit, { ...who, after });
}

import { ServiceError } from "@portcullis/contracts";
import type { Entry } from "../audit/audit.ts";
import { requireRole, type SocketContext } from "./context.ts";

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

type Context = Pick<SocketContext, "audit" | "store">;
type Change<Body, Reply> = (body: Body) => Promise<Reply>;
/** @param reply null: it broke off half-way */
type Told<Body, Reply> = (body: Body, reply: Reply | null) => Omit<Entry, "by">;

/** Of these nothing was done. */
const refusals: ReadonlySet<string> = new Set(["not_found", "invalid", "conflict", "forbidden"]);

/**
 * What an account changes on a socket, and that it is in the book before they hear that it is done. Also what broke off half-way, of which something may have been
 * done: otherwise a change could be had unrecorded by whoever brings about the right failure.
 */
export function recorded<Body extends Mine, Reply>(
  context: Context,
  change: Change<Body, Reply>,
  told: Told<Body, Reply>,
): Change<Body, Reply> {
  return async (body) => {
    const note = (reply: Reply | null, more: { readonly cause?: string }) =>
      context.audit.note(body.socketId, { ...told(body, reply), ...more, by: body.ownerId });
    let reply: Reply;
    try {
      reply = await change(body);
    } catch (error) {
      const isRefused = error instanceof ServiceError && refusals.has(error.code);
      if (!isRefused && (await isOfSocket(context, body))) await note(null, { cause: "incomplete" });
      throw error;
    }
    await note(reply, {});
    return reply;
  };
}

/** It may have failed before anybody looked at who asks: strangers write in nobody's book. */
function isOfSocket(context: Context, who: Mine): Promise<boolean> {
  return requireRole(context, who, "read").then(
    () => true,
    () => false,
  );
}

/** The same for what is a member's, who is named by the request and in the book by an id. */
export function recordedOf<Body extends Mine & { readonly name: string }, Reply>(
  context: Context,
  change: Change<Body, Reply>,
  told: Told<Body, Reply>,
): Change<Body, Reply> {
  const idOf = async ({ socketId, name }: Body) => (await context.store.members.findOne({ socketId, name }))?.id;
  return async (body) => {
    // Before it, since who is removed has none afterwards; behind it, since who is added had none before.
    let member = await idOf(body);
    const changing = async () => {
      try {
        return await change(body);
      } finally {
        member ??= await idOf(body);
      }
    };
    const of = () => (member === undefined ? {} : { member });
    return recorded<Body, Reply>(context, changing, (_, reply) => ({ ...told(body, reply), ...of() }))(body);
  };
}

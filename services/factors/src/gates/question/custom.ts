import { z } from "zod";
import type { GateContext } from "../gate.ts";
import type { QuestionKind } from "./kind.ts";

const config = z.strictObject({ kind: z.literal("custom"), webhook: z.string() });

/** The owner's own program asks, and judges the answer. */
export const custom: QuestionKind = {
  async prepare(context, given) {
    const { data } = config.safeParse(given);
    if (data === undefined) return null;
    const asked = await context.asker.ask(questioned(context, context.cid, data.webhook));
    return asked === null ? null : { kind: "custom", ...asked };
  },

  async verify(context, item) {
    const { hid, cid, asker } = context;
    const { data } = config.safeParse(item.config);
    if (data === undefined) return { ok: false, cause: "config" };
    if (cid === null) return { ok: false, cause: "unasked" };
    const isRight = await asker.judge(questioned(context, cid, data.webhook), `${hid}:${item.ref}`, item.value);
    return { ok: isRight, cause: isRight ? null : "wrong" };
  },
};

function questioned({ socketId, member }: GateContext, cid: string, webhook: string) {
  return { socketId, webhook, cid, member: member ?? null };
}

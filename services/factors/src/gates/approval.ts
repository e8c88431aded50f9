import { z } from "zod";
import type { Gate } from "./gate.ts";

const config = z.strictObject({ quorum: z.int().min(1).max(5), notify: z.enum(["mail", "none"]) });

/** People of the socket type the number that the waiting client shows. Nobody is sent anything from here, and nothing is answered in the client. */
export const approval: Gate = {
  name: "approval",
  wait(given) {
    const { data } = config.safeParse(given);
    return data === undefined ? null : { channel: null, by: "approval", quorum: data.quorum };
  },
  verify: async () => ({ ok: false, cause: "elsewhere" }),
};

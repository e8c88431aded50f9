import { z } from "zod";
import type { Gate } from "./gate.ts";

const config = z.strictObject({ webhook: z.string() });

/** A service of the owner's choice is told by a webhook, and says yes or no by a signed callback; the client has nothing to say. */
export const external: Gate = {
  name: "external",
  wait(given) {
    const { data } = config.safeParse(given);
    return data === undefined ? null : { channel: "webhook", by: "callback", to: data.webhook };
  },
  async verify() {
    return { ok: false, cause: "elsewhere" };
  },
};

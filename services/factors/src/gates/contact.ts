import { z } from "zod";
import type { Gate } from "./gate.ts";

const config = z.strictObject({ by: z.enum(["code", "link"]) });

/** A message to one of the member's contacts. A code is typed here; a link is confirmed elsewhere, and nothing is typed here. */
export function contactGate(name: "email" | "sms" | "call"): Gate {
  return {
    name,
    wait(given) {
      const { data } = config.safeParse(given);
      return data === undefined || (name === "call" && data.by !== "code") ? null : { channel: name, by: data.by };
    },
    async verify({ hid, socketId, waits }, { ref, value, waitId }) {
      const cause = await waits.check({ waitId, socketId, code: value, holder: `${hid}:${ref}` });
      return { ok: cause === null, cause };
    },
  };
}

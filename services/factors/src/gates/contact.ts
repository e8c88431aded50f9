import type { Gate } from "./gate.ts";

/** A code that was sent to one of the member's contacts. (A link is confirmed elsewhere, and nothing is typed here.) */
export function contactGate(name: "email" | "sms"): Gate {
  return {
    name,
    async verify({ hid, socketId, waits }, { ref, value, waitId }) {
      const cause = await waits.check({ waitId, socketId, code: value, holder: `${hid}:${ref}` });
      return { ok: cause === null, cause };
    },
  };
}

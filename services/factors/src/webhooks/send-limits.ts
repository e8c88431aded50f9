import type { SendLimits } from "../waits/limits.ts";
import type { WebhookLimits } from "./limits.ts";

/** A person is not sent a message a minute; a program takes what a whole socket causes. */
export function limitsByChannel(people: SendLimits, programs: WebhookLimits): SendLimits {
  return {
    ...people,
    async ask(occasion, holder) {
      if (occasion.channel !== "webhook") return people.ask(occasion, holder);
      if (await programs.admits(occasion.socketId, holder)) return { ok: true };
      return { ok: false, cause: "socket", againAtMs: null };
    },
  };
}

import { z } from "zod";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";
import { webhookId } from "./webhook.ts";

const item = strict({ gate: z.literal("external"), webhook: webhookId });

/**
 * A service of the owner's choice decides while the socket waits: it is told by a webhook and answers by a signed callback. What it
 * looks at is its own business; a member's name is only claimed unless another gate proves it.
 */
export const external = {
  document: item,
  stored: item,
  place: "anywhere",
  dialogue: "waits",
  prompt: () => ({ by: "callback" }),
  decided: () => null,
  needs: () => null,
} satisfies Gate;

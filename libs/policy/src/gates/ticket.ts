import { z } from "zod";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

const item = strict({ gate: z.literal("ticket") });

/**
 * A one-time ticket from before the connection: from the socket's page for a passphrase, or from the owner's backend. It came with the
 * opening or it did not, so nobody is asked for it, and as an alternative it is only ever offered where it has passed.
 */
export const ticket = {
  document: item,
  stored: item,
  place: "anywhere",
  dialogue: "once",
  prompt: () => null,
  decided: ({ ticket }) => ticket,
  needs: () => null,
  bindsMember: true,
} satisfies Gate;

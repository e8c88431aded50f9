import { z } from "zod";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

const item = strict({ gate: z.literal("path") });

/** Implicit: no handshake of a socket begins without its path. May be written as the first item and changes nothing. */
export const path = {
  document: item,
  stored: item,
  place: "first",
  dialogue: "once",
  prompt: () => null,
  decided: () => true,
  needs: () => null,
  restsOn: () => null,
} satisfies Gate;

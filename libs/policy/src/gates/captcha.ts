import { z } from "zod";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

const cost = z.enum(["low", "normal", "high"]);

/**
 * A proof of work that the client makes by itself: it puts a price on trying, which rises for networks from which much fails. It proves
 * no human and no member.
 */
export const captcha = {
  document: strict({ gate: z.literal("captcha"), cost: cost.default("normal") }),
  stored: strict({ gate: z.literal("captcha"), cost }),
  place: "anywhere",
  dialogue: "prepared",
  prompt: () => null,
  decided: () => null,
  needs: () => null,
  restsOn: () => null,
  countsForNobody: true,
  playable: () => true,
} satisfies Gate;

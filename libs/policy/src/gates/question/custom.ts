import { z } from "zod";
import { strict } from "../../strict.ts";
import { webhookId } from "../webhook.ts";
import type { QuestionKind } from "./kind.ts";

const item = strict({ gate: z.literal("question"), kind: z.literal("custom"), webhook: webhookId });

/** The owner's own program asks, and judges the answer. */
export const custom = {
  document: item,
  stored: item,
  dialogue: "prepared",
  prompt: () => null,
  needs: null,
  restsOn: null,
  boundToConnection: false,
  among: null,
} satisfies QuestionKind;

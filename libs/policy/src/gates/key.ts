import { z } from "zod";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

const item = strict({ gate: z.literal("key") });

/** Possession of an app key. The box opens under it before any question can be asked, so it can be no alternative. */
export const key = {
  document: item,
  stored: item,
  place: "opening",
  dialogue: "once",
  prompt: () => null,
  decided: ({ keyId }) => keyId !== null,
  needs: () => null,
  restsOn: () => "app-key",
  boundToConnection: true,
} satisfies Gate;

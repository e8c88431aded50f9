import { createHash } from "node:crypto";
import type { State } from "@portcullis/state";
import { z } from "zod";
import type { WaitStore } from "../waits/record.ts";
import type { Waits } from "../waits/waits.ts";
import { isSigned, type SignedMessage } from "./signature.ts";
import type { WebhookStore } from "./store.ts";

/** `refused`: nobody learns why. `invalid`, `late`: said to who has signed. */
export type CallbackResult = "taken" | "late" | "invalid" | "refused";

export interface CallbackContext {
  readonly store: Pick<WaitStore, "get">;
  readonly waits: Pick<Waits, "decide">;
  readonly webhooks: Pick<WebhookStore, "find">;
  readonly state: State;
  /** 32 bytes under which nothing is signed. */
  readonly decoy: Uint8Array;
  readonly clock: () => number;
}

const decision = z.strictObject({ decision: z.enum(["confirm", "refuse"]) });
const fates = { confirm: "confirmed", refuse: "refused" } as const;
/** Longer than twice the time in which a message may be stale: its id is remembered for as long as it could come again. */
const rememberedMs = 10 * 60_000 + 1_000;

/**
 * What a service says to a wait. The wait names the endpoint, and so whose signature counts: an owner's own secret opens no wait of
 * another socket. The same message again is taken again, because who sent it may have missed the answer; its id is good for one decision
 * on one wait: the signature does not cover which, so that who has seen a message could let somebody else in by it.
 */
export async function takeCallback(
  context: CallbackContext,
  waitId: string,
  message: SignedMessage,
): Promise<CallbackResult> {
  const { store, waits, webhooks, state, decoy, clock } = context;
  const found = await store.get(waitId);
  const wait = found !== null && found.wait.by === "callback" && found.wait.channel === "webhook" ? found.wait : null;
  const webhook = await webhooks.find(wait?.socketId ?? "nobody", wait?.to ?? "nobody");
  const isTheirs = isSigned(webhook?.secrets ?? [], decoy, message, clock());
  if (webhook === null || !isTheirs) return "refused";

  const parsed = decision.safeParse(jsonOf(message.body));
  if (!parsed.success) return "invalid";
  const fate = fates[parsed.data.decision];
  const id = createHash("sha256").update(message.id).digest("base64url");
  const key = `factors.callback.${webhook.id}.${id}`;
  const decided = `${waitId} ${fate}`;
  if ((await state.create(key, Buffer.from(decided), rememberedMs)) === null) {
    const first = await state.get(key);
    if (first === null || Buffer.from(first.value).toString() !== decided) return "refused";
  }
  return (await waits.decide(waitId, fate)) === fate ? "taken" : "late";
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

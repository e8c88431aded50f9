import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { ServiceError } from "@portcullis/contracts";
import { type Logger, meterFor, OutboundError, type SafeFetch } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import type { WebhookLimits } from "./limits.ts";
import { signedHeaders } from "./signature.ts";
import type { WebhookStore } from "./store.ts";

/** Whom an owner's own question is for. */
export interface Questioned {
  readonly socketId: string;
  /** Of the endpoint. */
  readonly webhook: string;
  /** Of the challenge. */
  readonly cid: string;
  /** As claimed. */
  readonly member: string | null;
}

/** Has an owner's own program ask and judge, while the handshake waits for it. */
export interface Asker {
  /** @returns what the client is told; null where the program says nothing that can be shown */
  ask(
    questioned: Questioned,
  ): Promise<{ readonly prompt: string; readonly choices?: readonly string[] | undefined } | null>;
  /**
   * @param holder of the answer: judged again, it gets the same verdict, and the program is not asked again
   * @throws {ServiceError} unavailable: there is no verdict
   */
  judge(questioned: Questioned, holder: string, answer: string): Promise<boolean>;
}

export interface AskerContext {
  readonly webhooks: Pick<WebhookStore, "find">;
  readonly limits: WebhookLimits;
  readonly fetch: SafeFetch;
  readonly state: State;
  readonly clock: () => number;
  readonly log: Pick<Logger, "info">;
}

/** An answer that is wrong is followed by another question: both have to fit into the time of one step. */
const timeoutMs = 2_000;
const answerBytesMax = 16_384;
const promptBytesMax = 1_800;
const verdictMs = 70 * 60_000;
/** While somebody asks: longer than that takes. */
const claimMs = 2 * timeoutMs;
const pollMs = 50;

/** Shown to a person: no control characters, and none that turn the text around. */
const shown = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => text.isWellFormed() && !/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(text));
const question = z
  .strictObject({
    prompt: shown(500),
    choices: z
      .array(shown(100))
      .min(1)
      .max(8)
      .refine((choices) => new Set(choices).size === choices.length)
      .optional(),
  })
  // One challenge has to hold it beside the other options.
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= promptBytesMax);
const verdict = z.strictObject({ ok: z.boolean() });

export function createAsker({ webhooks, limits, fetch, state, clock, log }: AskerContext): Asker {
  const requests = meterFor("factors").createCounter("portcullis.factors.webhook-requests", {
    description: "Requests to owners' programs that ask and judge, by type and outcome",
  });

  async function post<T>(
    { socketId, webhook: webhookId, cid, member }: Questioned,
    { id, type, data, reply }: { id: string; type: string; data: Record<string, unknown>; reply: z.ZodType<T> },
  ): Promise<T | null> {
    const webhook = await webhooks.find(socketId, webhookId);
    const failed = (outcome: string) => {
      requests.add(1, { type, outcome });
      log.info("an owner's program did not answer", { webhook: webhookId, type, cause: outcome });
      return null;
    };
    if (webhook === null) return failed("no-webhook");
    const nowMs = clock();
    const body = JSON.stringify({
      type,
      timestamp: new Date(nowMs).toISOString(),
      data: { questionId: cid, socket: socketId, member, ...data },
    });
    try {
      const headers = signedHeaders(webhook.secrets, { id, body, nowMs });
      const answer = await fetch({
        url: webhook.url,
        group: socketId,
        body,
        headers,
        timeoutMs,
        maxBytes: answerBytesMax,
      });
      if (answer.status !== 200) return failed("status");
      const parsed = reply.safeParse(jsonOf(answer.body));
      if (!parsed.success) return failed("malformed");
      requests.add(1, { type, outcome: "ok" });
      return parsed.data;
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      return failed(error.failure);
    }
  }

  return {
    async ask(questioned) {
      const { socketId, cid } = questioned;
      if (!(await limits.admits(socketId, cid))) return null;
      return post(questioned, { id: `ask_${cid}`, type: "portcullis.question.ask", data: {}, reply: question });
    },

    async judge(questioned, holder, answer) {
      const name = createHash("sha256").update(`${questioned.cid} ${holder}`).digest("base64url");
      const key = `factors.judged.${name}`;
      for (let tries = 0; tries < claimMs / pollMs; tries += 1) {
        const claim = await state.create(key, Buffer.from("asking"), claimMs);
        if (claim !== null) {
          const data = { answer };
          const said = await post(questioned, {
            id: `judge_${name}`,
            type: "portcullis.question.judge",
            data,
            reply: verdict,
          });
          if (said === null) {
            await state.delete(key, claim);
            throw new ServiceError("unavailable");
          }
          const stored = await state.replace(key, claim, Buffer.from(said.ok ? "right" : "wrong"), verdictMs);
          if (stored !== null) return said.ok;
          // It took too long, and somebody else has asked: what they were told stands.
        }
        const found = await state.get(key);
        const text = found === null ? "" : Buffer.from(found.value).toString();
        if (text === "right" || text === "wrong") return text === "right";
        await pause(pollMs);
      }
      throw new ServiceError("unavailable");
    },
  };
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

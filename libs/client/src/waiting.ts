import type { Wait } from "@portcullis/protocol";
import type { QuestionOption } from "./question-option.ts";

/** A gate at which somebody was sent a message, as it stands now. */
export interface Waiting {
  readonly gate: string;
  readonly at: string;
  /** `code`: it is asked for here. `link`: it is opened elsewhere, and `number` is typed there. */
  readonly by: "code" | "link";
  /** Where the message goes, masked. */
  readonly to: string;
  /** To be shown to the person; null where a code is asked for. */
  readonly number: string | null;
  /**
   * `queued`: is to be sent. `sent`. `delayed`: could not be sent yet, the server tries again. `failed`: it gave up. `refused`: too
   * many messages, or too soon.
   */
  readonly status: Wait["status"];
  /** Epoch milliseconds by our clock from which `resend` has an effect; null: never. */
  readonly resendAtMs: number | null;
  /** Epoch milliseconds by our clock at which it is over. */
  readonly untilMs: number;
  readonly attemptsLeft: number;
  /** True: the code before was wrong. */
  readonly retry: boolean;
  /** All the ways on, this one included. */
  readonly options: readonly QuestionOption[];
  /** Asks for the message once more. */
  resend(): void;
  /** Takes another of the ways: answers it, or, without a value, picks a gate that waits. */
  choose(choice: { readonly gate: string; readonly at: string; readonly value?: string }): void;
}

/** Told of each wait, and whenever something about it has changed. Must not throw. */
export type WaitingCallback = (waiting: Waiting) => void;

export function waitingOf(
  wait: Wait,
  around: Pick<Waiting, "options" | "resend" | "choose"> & { readonly nowMs: number },
): Waiting {
  const { gate, at, status, resendMs, answerMs, attemptsLeft, retry, prompt = {} } = wait;
  const { options, nowMs, resend, choose } = around;
  return {
    gate,
    at,
    by: prompt.by === "link" ? "link" : "code",
    to: typeof prompt.to === "string" ? prompt.to : "",
    number: typeof prompt.number === "string" ? prompt.number : null,
    status,
    resendAtMs: resendMs === null ? null : nowMs + resendMs,
    untilMs: nowMs + answerMs,
    attemptsLeft,
    retry,
    options,
    resend,
    choose,
  };
}

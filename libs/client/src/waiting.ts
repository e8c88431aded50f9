import type { Wait, WaitStatus } from "@portcullis/protocol";
import type { QuestionOption } from "./question-option.ts";

/** A gate at which somebody was sent a message, as it stands now. */
export interface Waiting {
  readonly gate: string;
  readonly at: string;
  /**
   * `code`: it is asked for here. `link`: it is opened elsewhere, and `number` is typed there. `approval`: a person of the socket types
   * `number`. `callback`: a service says yes or no.
   */
  readonly by: "code" | "link" | "approval" | "callback";
  /** Where the message goes, masked; "" where nobody is sent one. */
  readonly to: string;
  /** What else the server says about it (docs/protocol.md section 9). */
  readonly details: Readonly<Record<string, unknown>>;
  /** To be shown to the person; null where there is none. */
  readonly number: string | null;
  /**
   * `queued`: is to be sent. `sent`. `delayed`: could not be sent yet, the server tries again. `failed`: it gave up. `refused`: too
   * many messages, or too soon.
   */
  readonly status: WaitStatus;
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
  /**
   * Takes another of the ways: answers it, or, without a value, picks a gate that waits.
   *
   * @throws {PortcullisError} `too-large` for an answer that is too long
   */
  choose(choice: { readonly gate: string; readonly at: string; readonly value?: string }): void;
  /** As that of a question. */
  readonly solve: (option: QuestionOption) => Promise<string> | null;
  /** Aborted when it is waited for no more: something else is asked, or all is over. */
  readonly signal: AbortSignal;
}

const ways = ["code", "link", "approval", "callback"] as const;

/** Told of each wait, and whenever something about it has changed. Must not throw. */
export type WaitingCallback = (waiting: Waiting) => void;

export function waitingOf(
  wait: Wait,
  around: Pick<Waiting, "options" | "resend" | "choose" | "solve" | "signal"> & { readonly nowMs: number },
): Waiting {
  const { gate, at, status, resendMs, answerMs, attemptsLeft, retry, prompt = {} } = wait;
  const { options, nowMs, resend, choose, solve, signal } = around;
  return {
    gate,
    at,
    by: ways.find((way) => way === prompt.by) ?? "code",
    details: prompt,
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
    solve,
    signal,
  };
}

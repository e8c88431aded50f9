import type { Waiting } from "../../waiting.ts";
import { timeUntil } from "../clock.ts";
import { button, disable, h, setText } from "../dom.ts";
import { harmless } from "../foreign.ts";
import type { Say } from "../texts.ts";

/** How the message fares that is waited for, and how to get another one. Changes in place: nobody who types is disturbed. */
export interface MessagePanel {
  readonly nodes: readonly Node[];
  update(waiting: Waiting): void;
  tick(nowMs: number): void;
}

export function createMessagePanel(say: Say, announce: (text: string) => void, first: Waiting): MessagePanel {
  let now = first;
  let wasReady = false;
  const status = h("p", { part: "status", class: "status" }, statusOf(say, first));
  const resend = button("", "resend", () => {
    now.resend();
    announce(say("resend.asked"));
  });

  function tick(nowMs: number): void {
    const { resendAtMs } = now;
    resend.hidden = resendAtMs === null;
    const isReady = resendAtMs !== null && nowMs >= resendAtMs;
    disable(resend, !isReady);
    setText(
      resend,
      resendAtMs === null || isReady ? say("resend") : say("resend.in", { time: timeUntil(resendAtMs, nowMs) }),
    );
    if (isReady && !wasReady) announce(say("resend.ready"));
    wasReady = isReady;
  }

  tick(Date.now());
  return {
    nodes: [status, resend],
    update(waiting) {
      now = waiting;
      const text = statusOf(say, waiting);
      if (status.textContent !== text) announce(text);
      setText(status, text);
      tick(Date.now());
    },
    tick,
  };
}

function statusOf(say: Say, waiting: Waiting): string {
  const { gate, by, to, status, details } = waiting;
  if (by === "callback") return say(`callback.${status}`);
  if (by !== "approval") return say(`message.${status}`, { way: say.named(`way.${gate}`, gate), to: harmless(to) });
  if (status === "refused") return say("approval.refused");
  const [given, n] = [Number(details.given ?? 0), Number(details.needed ?? 1)];
  return `${say("approval.asked", { n })}${n === 1 ? "" : ` ${say("approval.given", { given, n })}`}`;
}

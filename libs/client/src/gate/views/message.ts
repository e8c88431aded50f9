import type { Waiting } from "../../waiting.ts";
import { button, h, setText } from "../dom.ts";
import { harmless } from "../foreign.ts";
import type { Say } from "../texts.ts";
import { createLater } from "./later.ts";

/** How the message fares that is waited for, and how to get another one. Changes in place: nobody who types is disturbed. */
export interface MessagePanel {
  readonly status: Node;
  readonly resend: readonly Node[];
  update(waiting: Waiting): void;
  tick(nowMs: number): void;
}

export function createMessagePanel(say: Say, announce: (text: string) => void, first: Waiting): MessagePanel {
  let now = first;
  /** Asked for a second time before the server has said anything, it would be one too many. */
  let isAsked = false;
  const status = h("p", { part: "status", class: "status" }, statusOf(say, first));
  const go = button(say("resend"), "resend", () => {
    now.resend();
    isAsked = true;
    tick(Date.now());
    announce(say("resend.asked"));
  });
  const later = createLater(say, { go, left: "resend.in", ready: "resend.ready", announce });

  function tick(nowMs: number): void {
    go.hidden = now.resendAtMs === null;
    later.tick(isAsked ? null : now.resendAtMs, nowMs);
  }

  tick(Date.now());
  return {
    status,
    resend: later.nodes,
    update(waiting) {
      now = waiting;
      isAsked = false;
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

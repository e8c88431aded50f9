import { secondsUntil, timeUntil } from "./clock.ts";
import { button, h, setText } from "./dom.ts";
import { focused, mayTakeFocus } from "./focus.ts";
import type { Say } from "./texts.ts";
import { gone, type View } from "./view.ts";

/** The card on which one view after the other stands. */
export interface Stage {
  show(view: View): void;
  /** Shows what settles by `done`, once. @returns `gone` where the signal says that no answer is wanted any more */
  ask<T>(signal: AbortSignal, make: (done: (value: T) => void) => View): Promise<T | typeof gone>;
  /** What was typed is being looked at: it is forgotten here, and nothing more is typed. */
  busy(text: string): void;
  /** Beside every view, until it is another; null: none. */
  notice(text: string | null): void;
  /** Above every view: what is to be known of the server, and what it may be recognised by. Without nodes: nothing. */
  banner(which: "server" | "ident", ...nodes: readonly Node[]): void;
  /** Read out politely, and not shown. */
  announce(text: string): void;
  /** A dialog above the page, which does not keep anybody from the page; afterwards the focus goes back to where it was. */
  raise(isUp: boolean): void;
  /** It is in the page again: what was raised is so again. */
  lift(): void;
  tick(nowMs: number): void;
}

const announcedSeconds = [60, 15];
const tickMs = 250;

/** @param parts.cancel the person leaves @param parts.isWanted whether the focus may be taken from the page at all */
export function createStage(root: ShadowRoot, parts: { say(): Say; cancel(): void; isWanted(): boolean }): Stage {
  const { say } = parts;
  const title = h("h2", { id: "title", part: "title", tabindex: -1 });
  const clock = h("p", { part: "clock", class: "clock", role: "timer", "aria-live": "off" });
  const banners = {
    server: h("div", { part: "banner", class: "banner warning", hidden: true }),
    ident: h("div", { part: "banner", class: "banner", hidden: true }),
  };
  const notice = h("p", { part: "notice", class: "notice", hidden: true });
  const progress = h("div", { part: "progress", class: "progress", hidden: true });
  const body = h("div", { part: "body", class: "body" });
  const foot = h("div", { part: "foot", class: "foot" });
  const status = h("p", { class: "unseen", role: "status" });
  const head = h("div", { class: "head" }, title, clock);
  const card = h("section", { part: "card", class: "card", role: "group", "aria-labelledby": "title" });
  card.append(progress, head, banners.server, banners.ident, notice, body, foot, status);
  root.append(card);
  let view: View | null = null;
  let secondsLeft = Number.POSITIVE_INFINITY;
  /** Where the focus was before the dialog. */
  let before: Element | null = null;

  const isRaised = () => card.hasAttribute("data-raised");

  function show(next: View): void {
    const isWanted = next.isUnasked !== true && parts.isWanted() && mayTakeFocus();
    const takes = isWanted || root.activeElement !== null;
    forget();
    view = next;
    secondsLeft = Number.POSITIVE_INFINITY;
    card.dataset.view = next.name;
    body.removeAttribute("aria-busy");
    progress.hidden = true;
    setText(title, next.title);
    body.replaceChildren(...next.body);
    foot.replaceChildren(
      ...(next.other === undefined ? [] : [button(say()("other"), "other", next.other)]),
      ...(next.isIdle === true ? [] : [button(say()(isRaised() ? "leave" : "cancel"), "cancel", parts.cancel)]),
    );
    tick(Date.now());
    if (takes) {
      // What takes the focus is read out by that, and what was said before it is over.
      setText(status, notice.textContent ?? "");
      (next.focus ?? title).focus();
    } else {
      // Also where it is the same again: it is a new question.
      status.textContent = `${notice.textContent} ${next.title}`.trim();
    }
  }

  /** A secret stays in no field, and what is typed while it is looked at would be lost. */
  function forget(): void {
    for (const field of body.querySelectorAll<HTMLInputElement>("input:not([type=radio])")) {
      field.value = "";
      field.readOnly = true;
    }
  }

  function tick(nowMs: number): void {
    const untilMs = view?.untilMs;
    clock.hidden = untilMs === undefined;
    if (untilMs !== undefined) {
      const time = timeUntil(untilMs, nowMs);
      if (clock.textContent !== time) clock.setAttribute("aria-label", `${say()("timeLeft")} ${time}`);
      setText(clock, time);
      const left = secondsUntil(untilMs, nowMs);
      for (const each of announcedSeconds)
        if (left <= each && secondsLeft > each && secondsLeft < Number.POSITIVE_INFINITY)
          setText(status, say()("timeLeftSoon", { n: left }));
      secondsLeft = left;
    }
    view?.tick?.(nowMs);
  }

  /** Where the platform can, above everything else of the page; unlike a modal dialog it takes no focus and keeps nobody inside. */
  function lift(): void {
    // What is in no page cannot be above it, and whatever leaves it is above it no more.
    if (!card.isConnected || !isRaised() || !("popover" in card)) return;
    if (!card.matches(":popover-open")) card.showPopover();
  }

  return {
    show,
    ask<T>(signal: AbortSignal, make: (done: (value: T) => void) => View) {
      const { promise, resolve } = Promise.withResolvers<T | typeof gone>();
      if (signal.aborted) resolve(gone);
      else {
        const leave = () => resolve(gone);
        signal.addEventListener("abort", leave);
        show(
          make((value) => {
            // It would keep what was typed for as long as the signal is there.
            signal.removeEventListener("abort", leave);
            resolve(value);
          }),
        );
      }
      return promise;
    },
    busy(text) {
      forget();
      // Not the card: a screen reader may take no notice of what is in it, and there are the status and the way out.
      body.setAttribute("aria-busy", "true");
      progress.hidden = false;
      setText(status, text);
    },
    notice(text) {
      const isAloud = status.textContent === notice.textContent;
      notice.hidden = text === null;
      setText(notice, text ?? "");
      // What is so no more is not read out either.
      if (text !== null || isAloud) setText(status, text ?? "");
    },
    banner(which, ...nodes) {
      banners[which].hidden = nodes.length === 0;
      banners[which].replaceChildren(...nodes);
    },
    announce(text) {
      setText(status, text);
    },
    raise(isUp) {
      if (isRaised() === isUp) return;
      if (!isUp && root.activeElement !== null && before instanceof HTMLElement) before.focus();
      before = isUp ? focused() : null;
      card.setAttribute("role", isUp ? "dialog" : "group");
      card.toggleAttribute("data-raised", isUp);
      if ("popover" in card) card.popover = isUp ? "manual" : null;
      lift();
    },
    lift,
    tick,
  };
}

/** @returns what ends it */
export function startTicking(stage: Stage): () => void {
  const timer = setInterval(() => stage.tick(Date.now()), tickMs);
  return () => clearInterval(timer);
}

import type { Challenge, SteppedUp, Wait } from "@portcullis/protocol";
import { createDialogue, type Wish } from "./dialogue.ts";
import type { Link } from "./link.ts";
import type { SessionState, Settings } from "./options.ts";
import type { Known } from "./prompts/prompt.ts";
import type { Server } from "./question.ts";
import { sayingOf, summaryOf } from "./saying.ts";

/** What a session is asked while it lives: the same callbacks as at the gates are asked, and what they say goes over whichever connection it is on. */
export interface StepUps {
  hear(from: Link, heard: Challenge | Wait | SteppedUp): void;
  /** The connection is lost: what stands is said again on the next one. */
  detach(): void;
  stop(): void;
}

/** @param parts.hold whether what the application sends waits: the server would let it wait as well, but not as much of it */
export function createStepUps(parts: {
  readonly settings: Settings;
  readonly server: Server & Known;
  readonly hold: (holds: boolean) => void;
  readonly tell: (state: SessionState) => void;
}): StepUps {
  const { settings, server, hold, tell } = parts;
  const { narrate } = settings;
  const dialogue = createDialogue(settings);
  let link: Link | null = null;
  /** Of what was heard on this connection: what does not rise was overtaken on its way. */
  let last = 0;
  /** The question that stands on this connection. */
  let cid: string | null = null;
  let isOpen = false;
  let ended = false;
  let pumping = false;
  let moved = Promise.withResolvers<void>();

  function hear(from: Link, heard: Challenge | Wait | SteppedUp): void {
    const isFirst = from !== link;
    if (isFirst) {
      link = from;
      last = 0;
    }
    if (ended || heard.n <= last) return;
    last = heard.n;
    if (heard.t === "stepped-up") {
      narrate("down", "stepped-up", { gates: heard.gates.join(" ") });
      close(heard);
      return;
    }
    if (!isOpen) tell({ is: "step-up" });
    // Whoever is told may end the session.
    if (ended) return;
    isOpen = true;
    hold(true);
    cid = heard.cid;
    const place = { server, th: from.stepUp, isFirst };
    if (heard.t === "challenge") {
      const { options, attemptsLeft, retry } = heard;
      narrate("down", "challenge", { gates: options.map(({ gate }) => gate).join(" "), attemptsLeft, retry });
      dialogue.challenge(heard, place);
    } else {
      const { gate, status, attemptsLeft, retry } = heard;
      narrate("down", "wait", { gate, status, attemptsLeft, retry });
      dialogue.wait(heard, place);
    }
    wake();
    void pump();
  }

  function close({ gates, until }: SteppedUp): void {
    cid = null;
    dialogue.stop();
    hold(false);
    if (!isOpen) return;
    isOpen = false;
    tell({ is: "stepped-up", gates, until: until ?? null });
  }

  function wake(): void {
    moved.resolve();
    moved = Promise.withResolvers<void>();
  }

  /** A wish stays until it can be said: to the question that it belongs to, where that stands. */
  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    while (!ended) {
      const wish = await dialogue.next();
      const to = link;
      if (ended) return;
      if (to === null || cid === null || (wish.kind !== "given-up" && wish.cid !== cid)) {
        await moved.promise;
        continue;
      }
      dialogue.said(wish);
      await say(to, wish).catch(() => {});
    }
  }

  async function say(to: Link, wish: Wish): Promise<void> {
    const saying = await sayingOf(wish, to.stepUp);
    narrate("up", saying.t, summaryOf(saying));
    await to.ask(saying);
  }

  return {
    hear,
    detach() {
      link = null;
      cid = null;
      // Should it have been passed, and that been lost, nobody would say so again.
      hold(false);
    },
    stop() {
      ended = true;
      wake();
      dialogue.stop();
    },
  };
}

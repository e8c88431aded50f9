import type { connect as connectOf } from "../connect.ts";
import { PortcullisError } from "../errors.ts";
import type { ConnectOptions } from "../options.ts";
import type { Server } from "../question.ts";
import type { Session } from "../session.ts";
import { h } from "./dom.ts";
import type { GateState } from "./events.ts";
import { addressWith, type Given, isComplete, isUnpinned, missingOf } from "./given.ts";
import type { Stage } from "./stage.ts";
import type { Say } from "./texts.ts";
import { connectingView } from "./views/busy.ts";
import { type Filled, formView, unpinnedView, type WrongField } from "./views/form.ts";
import { acceptedView, cancelledView, closedView, deniedView } from "./views/verdict.ts";
import { createWalk, type Walk } from "./walk.ts";

/** From what the page has not given to the end of the session, again and again. */
export interface Visit {
  /** Shows what is to be filled in, or the button that begins; takes no focus. */
  idle(): void;
  /** Begins, unless it has begun. @throws {TypeError} on what the page gave and can never work */
  start(): void;
  /** Leaves the gates; while a step-up stands, the session. */
  cancel(): void;
  readonly isEntering: boolean;
}

export interface Tell {
  accepted(session: Session): void;
  denied(error: PortcullisError): void;
  cancelled(error: PortcullisError): void;
  state(state: GateState): void;
}

export function createVisit(parts: {
  readonly connect: typeof connectOf;
  readonly stage: Stage;
  readonly say: () => Say;
  readonly given: () => Given;
  readonly tell: Tell;
}): Visit {
  const { connect, stage, say, given, tell } = parts;
  let run: AbortController | null = null;
  let session: Session | null = null;
  let steppingUp = false;

  const isEntering = () => run !== null && session === null;

  function idle(wrong: WrongField | null = null): void {
    stage.show(formView(say(), missingOf(given()), wrong, filled));
  }

  function start(): void {
    if (run !== null) return;
    if (!isComplete(missingOf(given()))) {
      idle();
      return;
    }
    // What the page gave is the page's mistake, and thrown where it is made.
    addressWith(given(), {});
    void enter({});
  }

  function filled(by: Filled): void {
    if (run !== null) return;
    try {
      addressWith(given(), by);
    } catch (error) {
      // Where the person has typed none, it is the page's.
      if (by.url === undefined) reportError(error);
      idle("url");
      return;
    }
    if (!isUnpinned(given(), by)) void enter(by);
    else stage.show(unpinnedView(say(), (goesOn) => (goesOn ? void enter(by) : idle())));
  }

  async function enter(by: Filled): Promise<void> {
    const page = given();
    const own = new AbortController();
    run = own;
    let failure: unknown = null;
    const walk = createWalk({
      stage,
      say,
      tell: tell.state,
      canSign: page.options.passkey !== undefined || "PublicKeyCredential" in globalThis,
      hasSecret: page.answerSecret !== undefined,
      leave(reason) {
        failure = reason;
        own.abort();
      },
    });
    stage.show(connectingView(say()));
    tell.state({ is: "connecting" });
    try {
      const made = await connect(addressWith(page, by), optionsOf(page, by, walk, own.signal));
      session = made;
      stage.notice(null);
      showSession(made);
      tell.state({ is: "accepted" });
      tell.accepted(made);
      const closing = await made.closed;
      session = null;
      leave(walk);
      stage.show(closedView(say(), closing.retryAfterMs, start));
      tell.state({ is: "closed", closing });
    } catch (error) {
      session = null;
      leave(walk);
      refused(failure ?? error, by, own.signal.aborted);
    }
  }

  function leave(walk: Walk): void {
    run = null;
    steppingUp = false;
    walk.over();
    stage.raise(false);
    stage.notice(null);
    stage.banner("server");
    stage.banner("ident");
  }

  function refused(thrown: unknown, by: Filled, hasLeft: boolean): void {
    const isKnown = thrown instanceof PortcullisError;
    const error = isKnown ? thrown : new PortcullisError("cancelled", { cause: thrown });
    // A function of the page's has failed, or an option is wrong: the person has not left, and the page's console says what it was.
    const isOfPage = !isKnown || (error.code === "cancelled" && !hasLeft);
    if (isOfPage) reportError(error.cause ?? error);
    // What the person pasted is corrected by the person.
    if (error.code === "key" && by.key) idle("key");
    else if (!isOfPage && (error.code === "cancelled" || error.code === "not-recognised")) {
      stage.show(cancelledView(say(), error.code === "cancelled", start));
      tell.state({ is: "cancelled" });
      tell.cancelled(error);
    } else {
      stage.show(deniedView(say(), error, start));
      tell.state({ is: "denied" });
      tell.denied(error);
    }
  }

  function showSession(now: Session): void {
    stage.show(acceptedView(say(), now));
  }

  /** The page's own callbacks are told as well. */
  function optionsOf(page: Given, by: Filled, walk: Walk, signal: AbortSignal): ConnectOptions {
    const { options, token, appKey, ticket, pin, unpinned, answers, answerSecret } = page;
    let isLost = false;
    return {
      ...options,
      appKey: by.key || appKey,
      ticket,
      pin,
      unpinned,
      answers: { ...(token === undefined ? {} : { jwt: () => token() }), ...answers },
      answerSecret: answerSecret ?? walk.takeSecret,
      automatic: false,
      signal,
      onChallenge: walk.onChallenge,
      onWait(waiting) {
        walk.onWait(waiting);
        options.onWait?.(waiting);
      },
      onIdent(shown) {
        walk.onIdent(shown);
        options.onIdent?.(shown);
      },
      onServer(server) {
        walk.onServer(server);
        stage.banner("server", ...warningsOf(server));
        options.onServer?.(server);
      },
      onState(state) {
        if (state.is === "lost" || state.is === "gap") stage.notice(say()(state.is));
        if (state.is === "resumed") stage.notice(say()("back"));
        if (state.is === "step-up" || state.is === "stepped-up") turn(state.is === "step-up");
        tell.state(state);
        options.onState?.(state);
      },
      onFrame(direction, kind, summary) {
        options.onFrame?.(direction, kind, summary);
        if (!isEntering()) return;
        if (kind === "close") stage.notice(say()("lost"));
        if (kind === "hello" && isLost) stage.notice(say()("back"));
        isLost = kind === "close" || (isLost && kind !== "hello");
      },
    };
  }

  /** @param isUp whether the living session is asked for more, from now on */
  function turn(isUp: boolean): void {
    steppingUp = isUp;
    if (!isUp && session !== null) showSession(session);
    stage.raise(isUp);
    if (!isUp) stage.announce(say()("stepUp.passed"));
  }

  function warningsOf({ pinned, successorOf, words }: Server): readonly Node[] {
    if (!pinned) return [h("p", {}, say()("unpinned.banner", { words }))];
    return successorOf === null ? [] : [h("p", {}, say()("successor.banner", { words }))];
  }

  return {
    idle,
    start,
    cancel() {
      if (session === null || steppingUp) run?.abort();
    },
    get isEntering() {
      return isEntering();
    },
  };
}

import type { Challenge, Wait } from "@portcullis/protocol";
import { PortcullisError } from "./errors.ts";
import type { Settings } from "./options.ts";
import { identOf } from "./prompts/ident.ts";
import type { Known } from "./prompts/prompt.ts";
import { type Answering, askApplication, askForCode, type Reply, replyOf, type Server } from "./question.ts";
import { optionOf, type QuestionOption } from "./question-option.ts";
import { type Waiting, waitingOf } from "./waiting.ts";

/** What the person, or the application for them, wants to have said. */
export type Wish =
  | { readonly kind: "answered"; readonly cid: string; readonly reply: Reply }
  | { readonly kind: "resend"; readonly cid: string }
  | { readonly kind: "given-up"; readonly error: unknown };

/** The connection on which something is asked. */
export interface Place {
  readonly server: Server & Known;
  /** Transcript hash. */
  readonly th: Uint8Array;
  /** The first that the server says here: after a comeback it says again what it said before. */
  readonly isFirst: boolean;
}

/**
 * What the person is asked and what they say. It outlives the connection: whoever is typing a code goes on typing while the client
 * comes back over another one, where the same question has the same id.
 */
export interface Dialogue {
  challenge(challenge: Challenge, place: Place): void;
  wait(wait: Wait, place: Place): void;
  /** What is to be said next; the same until it was `said`, so that it outlives the connection on which it was waited for. Never rejects. */
  next(): Promise<Wish>;
  /** It was handed to the connection. */
  said(wish: Wish): void;
  /** When the question that stands is over, by our clock; null where there is none. */
  readonly untilMs: number | null;
  /** Nobody is asked any more. */
  stop(): void;
}

interface Asking {
  readonly cid: string;
  readonly stop: AbortController;
  /** What answers it holds on one connection only. */
  bound: boolean;
  /** Of the connection on which it stands now. */
  th: Uint8Array;
}

export function createDialogue({ options: given, clock }: Settings): Dialogue {
  const wishes: Wish[] = [];
  let listener: PromiseWithResolvers<Wish> | null = null;
  let asking: Asking | null = null;
  let lastReply: Extract<Wish, { kind: "answered" }> | null = null;
  let options: readonly QuestionOption[] = [];
  let untilMs: number | null = null;

  function wish(one: Wish): void {
    // One question, one answer: the server counts another as wrong.
    if (one.kind === "answered" && [...wishes, lastReply].some((each) => isAnswerTo(one.cid, each) && each !== one))
      return;
    wishes.push(one);
    listener?.resolve(one);
    listener = null;
  }

  /** @returns false where the very same is being asked, or was answered and the answer may have been lost: then it is said again. */
  function isNew(cid: string, { isFirst }: Place): boolean {
    // A proof is bound to the connection: on another one it is made anew.
    if (isFirst && asking?.cid === cid && asking.bound) {
      lastReply = null;
      return true;
    }
    if (lastReply?.cid === cid) {
      if (isFirst && !wishes.includes(lastReply)) wish(lastReply);
      return false;
    }
    return asking?.cid !== cid;
  }

  function turnTo(cid: string, { th }: Place): Asking {
    asking?.stop.abort();
    // What was to be said to the question before is of no use any more.
    wishes.splice(0);
    asking = { cid, stop: new AbortController(), bound: false, th };
    return asking;
  }

  function ask(own: Asking, { server }: Place, put: (answering: Answering) => Promise<Reply | null>): void {
    const { cid } = own;
    const { answers = {}, onChallenge, onWait, automatic = true } = given;
    const { signal } = own.stop;
    const settled = (one: Wish) => {
      if (asking === own) wish(one);
    };
    const showsWaits = onWait !== undefined;
    const solve = answerer(own);
    put({ answers, onChallenge, showsWaits, solve, automatic, server, nowMs: clock(), signal }).then(
      (reply) => {
        if (reply === null) return settled({ kind: "given-up", error: new PortcullisError("cancelled") });
        return settled({ kind: "answered", cid, reply });
      },
      (error: unknown) => settled({ kind: "given-up", error }),
    );
  }

  function showIdent({ server }: Place): void {
    for (const { gate, details } of options) if (gate === "ident") given.onIdent?.({ ...identOf(details), server });
  }

  /** What is answered without a person may be a proof that holds on one connection only: on the one that there is when it is made. */
  function answerer(own: Asking): Answering["solve"] {
    return ({ ask, details }) => {
      const { cid, stop, th } = own;
      const due = { untilMs: untilMs ?? clock(), clock };
      const answer = ask?.automatic?.({ details, th, cid, means: given, ...due, signal: stop.signal }) ?? null;
      if (answer !== null) own.bound = true;
      return answer;
    };
  }

  return {
    challenge(challenge, place) {
      options = challenge.options.map(optionOf);
      showIdent(place);
      untilMs = clock() + challenge.answerMs;
      if (isNew(challenge.cid, place))
        ask(turnTo(challenge.cid, place), place, (answering) => askApplication(options, challenge, answering));
      else if (asking !== null) asking.th = place.th;
    },
    wait(wait, place) {
      const { cid } = wait;
      const nowMs = clock();
      const answered = lastReply?.cid === cid ? null : (lastReply?.reply ?? null);
      // Another gate was answered while this one waits, and rightly: answered once more, it would count as wrong.
      if (answered !== null && answered.value !== null && !wait.retry)
        options = options.filter(({ at }) => at === wait.at || at !== answered.at);
      untilMs = nowMs + wait.answerMs;
      const resend = () => {
        if (asking?.cid === cid) wish({ kind: "resend", cid });
      };
      const choose: Waiting["choose"] = ({ gate, at, value = null }) => {
        if (asking?.cid !== cid) return;
        const option = options.find((each) => each.gate === gate && each.at === at) ?? optionOf({ gate, at });
        wish({ kind: "answered", cid, reply: value === null ? { gate, at, value } : replyOf(option, value) });
      };
      const solve: Waiting["solve"] = (option) => (asking?.cid === cid ? answerer(asking)(option) : null);
      const isOther = isNew(cid, place);
      const own = isOther || asking === null ? turnTo(cid, place) : asking;
      own.th = place.th;
      const waiting = waitingOf(wait, { options, nowMs, resend, choose, solve, signal: own.stop.signal });
      if (isOther && waiting.by === "code") ask(own, place, (answering) => askForCode(waiting, wait, answering));
      given.onWait?.(waiting);
    },
    next() {
      const [first] = wishes;
      if (first !== undefined) return Promise.resolve(first);
      listener ??= Promise.withResolvers<Wish>();
      return listener.promise;
    },
    said(one) {
      const index = wishes.indexOf(one);
      if (index >= 0) wishes.splice(index, 1);
      if (one.kind === "answered") lastReply = one;
      // The server was told: there is nothing to come back to.
      if (one.kind === "given-up") untilMs = null;
    },
    get untilMs() {
      return untilMs;
    },
    stop() {
      asking?.stop.abort();
      asking = null;
    },
  };
}

function isAnswerTo(cid: string, wish: Wish | null): boolean {
  return wish?.kind === "answered" && wish.cid === cid;
}

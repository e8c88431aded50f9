import { PortcullisError } from "../errors.ts";
import type { IdentCallback } from "../ident-callback.ts";
import { type ChallengeCallback, notRecognised, type Question, type Server } from "../question.ts";
import type { QuestionOption } from "../question-option.ts";
import type { Waiting } from "../waiting.ts";
import { type Answered, createAnswering } from "./answering.ts";
import type { Asked } from "./asked.ts";
import type { GateState } from "./events.ts";
import type { Stage } from "./stage.ts";
import type { Say } from "./texts.ts";
import { another, gone } from "./view.ts";
import { chooseView } from "./views/choose.ts";
import { identNodes } from "./views/ident.ts";
import { waitingView } from "./views/waiting.ts";

/** The person before the element, as the gates meet them: the callbacks of `connect`. */
export interface Walk {
  readonly onChallenge: ChallengeCallback;
  readonly onWait: (waiting: Waiting) => void;
  readonly onIdent: IdentCallback;
  readonly onServer: (server: Server) => void;
  /** The answer secret that was typed, once. */
  readonly takeSecret: () => string;
  /** Nothing is asked any more. */
  over(): void;
}

/** @param parts.leave ends it all, with the reason @param parts.tell where the person stands, whenever that is another place */
export function createWalk(parts: {
  readonly stage: Stage;
  readonly say: () => Say;
  readonly tell: (state: GateState) => void;
  readonly canSign: boolean;
  readonly hasSecret: boolean;
  readonly leave: (reason: unknown) => void;
}): Walk {
  const { stage, say, tell, canSign, leave } = parts;
  const answering = createAnswering(parts);
  let server: Server | null = null;
  let waiting: Waiting | null = null;
  /** What is asked while somebody else has to act; aborted when there is something else to be seen of the wait. */
  let beside = new AbortController();
  /** What was answered last, to be asked again where that was wrong. */
  let tried: string | null = null;

  function waysOf(options: readonly QuestionOption[]): readonly QuestionOption[] {
    const known = options.filter(({ ask }) => ask !== null);
    const possible = known.filter(({ gate }) => gate !== "passkey" || canSign);
    return possible.length === 0 ? known : possible;
  }

  const onChallenge: ChallengeCallback = async (question) => {
    const ways = waysOf(question.options);
    if (ways.length === 0) throw new PortcullisError("unsupported");
    const again = question.retry ? ways.find(({ at }) => at === tried) : undefined;
    // What was done elsewhere, and wrongly, is said once.
    stage.notice(question.retry && question.waiting === null && waiting?.number != null ? say()("number.wrong") : null);
    if (question.waiting === null) waiting = null;
    let option: QuestionOption | null =
      question.waiting === null ? (again ?? (ways.length === 1 ? (ways[0] ?? null) : null)) : question;
    for (;;) {
      option ??= await chosen(question, ways);
      if (option === null) return null;
      const isSame = option.at === again?.at || option.at === question.waiting?.at;
      const outcome = await answering.answer(askedOf(question, option, ways, isSame && question.retry));
      if (outcome === gone) return null;
      if (outcome === another) {
        option = null;
        continue;
      }
      tried = option.at;
      stage.busy(say()("checking"));
      return outcome === notRecognised ? outcome : { gate: option.gate, at: option.at, ...outcome };
    }
  };

  /** @returns null where no answer is wanted any more */
  async function chosen(question: Question, ways: readonly QuestionOption[]): Promise<QuestionOption | null> {
    const { signal, answerUntilMs: untilMs, waiting } = question;
    const current = waiting === null ? undefined : ways.find(({ at }) => at === waiting.at);
    const options = ways.filter((way) => way !== current);
    tell({ is: "choosing" });
    const picked = await stage.ask<QuestionOption>(signal, (done) =>
      chooseView(say(), { options, untilMs, back: current && (() => done(current)) }, done),
    );
    return picked === gone ? null : picked;
  }

  function askedOf(question: Question, option: QuestionOption, ways: readonly QuestionOption[], retry: boolean): Asked {
    const { attemptsLeft, answerUntilMs: untilMs, solve, signal, server } = question;
    const own = question.waiting?.at === option.at ? question.waiting : null;
    return { option, server, retry, attemptsLeft, untilMs, waiting: own, hasOthers: ways.length > 1, solve, signal };
  }

  function onWait(now: Waiting): void {
    const before = waiting;
    waiting = now;
    tellOf(now);
    const isSame =
      before?.signal === now.signal && before.number === now.number && before.attemptsLeft === now.attemptsLeft;
    if (now.by === "code" || (isSame && tried === null)) {
      answering.update(now);
      return;
    }
    beside.abort();
    const wrongly = now.retry ? waysBeside(now).find(({ at }) => at === tried) : undefined;
    tried = null;
    if (wrongly !== undefined) goBeside(now, wrongly);
    else showWait(before?.at === now.at && before.number !== now.number ? say()("number.again") : undefined);
  }

  function tellOf({ gate, by, status }: Waiting): void {
    tell({ is: "waiting", gate, by, status });
  }

  function showWait(wrong?: string): void {
    if (waiting === null) return;
    const shown = waiting;
    const other = waysBeside(shown).length > 0 ? () => goBeside(shown) : undefined;
    const { view, panel } = waitingView(say(), shown, { announce: stage.announce, other, wrong });
    answering.watch(panel);
    stage.show(view);
  }

  /** Who is to recognise the server does so where it asks, and not while something else is waited for. */
  function waysBeside({ at, options }: Waiting): readonly QuestionOption[] {
    return waysOf(options).filter((option) => option.at !== at && option.gate !== "ident");
  }

  /** @param first was answered wrongly, and is asked for again; else they choose */
  function goBeside(wait: Waiting, first: QuestionOption | null = null): void {
    const own = new AbortController();
    beside = own;
    const { signal } = own;
    // Safari 17 has no `AbortSignal.any`.
    if (wait.signal.aborted) own.abort();
    else wait.signal.addEventListener("abort", () => own.abort(), { signal });
    // What is still being worked out when the wait is over fails, and nobody needs it.
    answerBeside(first, signal).catch((reason: unknown) => {
      if (!signal.aborted) leave(reason);
    });
  }

  async function answerBeside(first: QuestionOption | null, signal: AbortSignal): Promise<void> {
    for (let option = first; waiting !== null && server !== null; option = null) {
      const { untilMs, attemptsLeft } = waiting;
      const picked = option ?? (await chosenBeside(waiting, signal));
      if (picked === gone) return;
      if (picked === null) {
        tellOf(waiting);
        return showWait();
      }
      const solve = (each: QuestionOption) => waiting?.solve(each) ?? null;
      const asked = { option: picked, server, attemptsLeft, untilMs, solve, signal, waiting: null, hasOthers: true };
      const outcome: Answered = await answering.answer({ ...asked, retry: picked === first });
      if (outcome === gone || outcome === notRecognised) return;
      if (outcome === another) continue;
      tried = picked.at;
      stage.busy(say()("checking"));
      return waiting?.choose({ gate: picked.gate, at: picked.at, ...outcome });
    }
  }

  /** @returns null: they go back to what is waited for */
  function chosenBeside(beside: Waiting, signal: AbortSignal): Promise<QuestionOption | null | typeof gone> {
    const options = waysBeside(beside);
    tell({ is: "choosing" });
    return stage.ask<QuestionOption | null>(signal, (done) =>
      chooseView(say(), { options, untilMs: beside.untilMs, back: () => done(null) }, done),
    );
  }

  return {
    onChallenge,
    onWait,
    onIdent(shown) {
      if (shown.ask === "none") stage.banner("ident", ...identNodes(say(), shown));
    },
    onServer(verified) {
      server = verified;
    },
    takeSecret: answering.takeSecret,
    over() {
      answering.takeSecret();
      waiting = null;
      tried = null;
    },
  };
}

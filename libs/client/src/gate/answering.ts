import { PortcullisError } from "../errors.ts";
import type { notRecognised } from "../question.ts";
import type { Waiting } from "../waiting.ts";
import type { Asked } from "./asked.ts";
import type { GateState } from "./events.ts";
import type { Stage } from "./stage.ts";
import type { Say } from "./texts.ts";
import { type another, gone } from "./view.ts";
import { busyView } from "./views/busy.ts";
import { identView } from "./views/ident.ts";
import { createMessagePanel, type MessagePanel } from "./views/message.ts";
import { titleOf } from "./views/names.ts";
import { passkeyView } from "./views/passkey.ts";
import { secretView } from "./views/secret.ts";
import { typedView } from "./views/typed.ts";

/** Without a value a gate that waits is picked. */
export type Answered = { readonly value?: string } | typeof notRecognised | typeof another | typeof gone;

/** One option, shown as it has to be, and answered by the person or before their eyes. */
export interface Answering {
  /** @throws {PortcullisError} `unsupported` where nobody here can answer it, or what the work without a person failed by */
  answer(asked: Asked): Promise<Answered>;
  /** Of this panel it is the message that is told of by `update`. */
  watch(panel: MessagePanel): void;
  update(waiting: Waiting): void;
  takeSecret(): string;
}

export function createAnswering(parts: {
  readonly stage: Stage;
  readonly say: () => Say;
  readonly tell: (state: GateState) => void;
  readonly canSign: boolean;
  /** Whether the page has the member's answer secret. */
  readonly hasSecret: boolean;
}): Answering {
  const { stage, say, tell, canSign, hasSecret } = parts;
  let panel: MessagePanel | null = null;
  let secret = "";

  async function answer(asked: Asked): Promise<Answered> {
    const { option, waiting, signal } = asked;
    const { gate, ask, details } = option;
    if (ask?.waits === true && waiting === null) return {};
    tell({ is: "asking", gate });
    if (gate === "ident" && details.ask !== "none")
      return answeredBy(await stage.ask(signal, (done) => identView(say(), asked, done)));
    if (gate === "passkey") return byPasskey(asked);
    if (gate === "question" && details.kind === "excerpt" && !hasSecret) return bySecret(asked);
    if (ask?.isForPerson?.(details) === false) return byItself(asked);
    const own = waiting === null ? null : createMessagePanel(say(), stage.announce, waiting);
    panel = own;
    return answeredBy(await stage.ask(signal, (done) => typedView(say(), asked, own, done)));
  }

  function wrongOf({ retry }: Asked): string | undefined {
    return retry ? say()("wrong") : undefined;
  }

  async function byItself({ option, untilMs, solve }: Asked): Promise<Answered> {
    const isShown = option.gate !== "ident";
    if (isShown) {
      const text = say()(option.gate === "captcha" ? "captcha.text" : "automatic.text");
      stage.show(busyView({ name: option.gate, title: titleOf(say(), option), text, untilMs }));
    }
    const value = await solve(option);
    if (value === null) throw new PortcullisError("unsupported");
    return { value };
  }

  async function byPasskey(asked: Asked): Promise<Answered> {
    for (let wrong = wrongOf(asked); ; ) {
      const picked = await stage.ask<"sign" | typeof another>(asked.signal, (done) =>
        passkeyView(say(), asked, canSign ? wrong : say()("passkey.none"), canSign, done),
      );
      if (picked !== "sign") return picked;
      stage.busy(say()("passkey.text"));
      try {
        const value = await asked.solve(asked.option);
        if (value !== null) return { value };
        wrong = say()("passkey.none");
      } catch {
        // The person turned away, or the device has none for this page: they may try again, or go another way. A browser does not say which.
        if (asked.signal.aborted) return gone;
        wrong = say()("passkey.failed");
      }
    }
  }

  async function bySecret(asked: Asked): Promise<Answered> {
    for (let wrong = wrongOf(asked); ; ) {
      const typed = await stage.ask<string | typeof another>(asked.signal, (done) =>
        secretView(say(), asked, wrong, done),
      );
      if (typeof typed !== "string") return typed;
      secret = typed;
      try {
        const value = await asked.solve(asked.option);
        if (value !== null) return { value };
      } catch (error) {
        if (!(error instanceof PortcullisError) || error.code !== "key") throw error;
      } finally {
        secret = "";
      }
      wrong = say()("secret.wrong");
    }
  }

  return {
    answer,
    watch(shown) {
      panel = shown;
    },
    update: (waiting) => panel?.update(waiting),
    takeSecret() {
      const taken = secret;
      secret = "";
      return taken;
    },
  };
}

function answeredBy(value: string | Exclude<Answered, object>): Answered {
  return typeof value === "string" ? { value } : value;
}

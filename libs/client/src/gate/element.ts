import type { connect } from "../connect.ts";
import type { GateEvents } from "./events.ts";
import type { Given } from "./given.ts";
import { createStage, startTicking } from "./stage.ts";
import { styleSheet } from "./styles.ts";
import { createSay, type Texts } from "./texts.ts";
import { createVisit } from "./visit.ts";

/** Where there is no document (a page that is rendered on a server), importing it does no harm. */
const Base: typeof HTMLElement = globalThis.HTMLElement ?? class {};

/** `<portcullis-gate>`. Properties that are not set are undefined; they count from the next `start()` on. */
export interface GateElement extends HTMLElement {
  /** Address of the socket; in the place of the attribute `url`, and not reflected by it: its path may be a secret. */
  url?: string | undefined;
  /** In the place of the attribute `member`. Null: not named here; "": the person is asked. */
  member?: string | null | undefined;
  appKey?: Given["appKey"];
  ticket?: Given["ticket"];
  pin?: Given["pin"];
  unpinned?: Given["unpinned"];
  answers?: Given["answers"];
  answerSecret?: Given["answerSecret"];
  token?: Given["token"];
  /** Everything else of `connect`. */
  options?: Given["options"] | undefined;
  /** In the place of the English ones, each by itself. */
  texts?: Partial<Texts> | undefined;
  /** Begins, unless it has begun. @throws {TypeError} on an address that is none */
  start(): void;
  /** Leaves the gates; while a step-up stands, the session. Otherwise nothing. */
  cancel(): void;
  addEventListener<Name extends keyof GateEventMap>(
    name: Name,
    listener: (this: GateElement, event: GateEventMap[Name]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof GateEventMap>(
    name: Name,
    listener: (this: GateElement, event: GateEventMap[Name]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | EventListenerOptions,
  ): void;
}

type OwnEvents = { readonly [Name in keyof GateEvents]: CustomEvent<GateEvents[Name]> };
interface GateEventMap extends HTMLElementEventMap, OwnEvents {}

/** There before they are set: frameworks set as an attribute what is not, and everybody who reads the page reads those. */
const unset = {
  url: undefined,
  member: undefined,
  appKey: undefined,
  ticket: undefined,
  pin: undefined,
  unpinned: undefined,
  answers: undefined,
  answerSecret: undefined,
  token: undefined,
  options: undefined,
  texts: undefined,
} satisfies Partial<GateElement>;

/** @param connectWith what goes through the gates */
export function createGateElement(connectWith: typeof connect): new () => GateElement {
  class PortcullisGate extends Base implements GateElement {
    // Declared and not defined: what a page has set before the element was known stays as it is.
    declare url?: string | undefined;
    declare member?: string | null | undefined;
    declare appKey?: Given["appKey"];
    declare ticket?: Given["ticket"];
    declare pin?: Given["pin"];
    declare unpinned?: Given["unpinned"];
    declare answers?: Given["answers"];
    declare answerSecret?: Given["answerSecret"];
    declare token?: Given["token"];
    declare options?: Given["options"] | undefined;
    declare texts?: Partial<Texts> | undefined;

    readonly #say = () => createSay(this.texts ?? {}, this.lang);
    // Open: a closed one keeps nobody out who runs a script on the page, and keeps tests and assistive technology out.
    readonly #root = this.attachShadow({ mode: "open" });
    readonly #stage = createStage(this.#root, {
      say: this.#say,
      cancel: () => this.cancel(),
      isWanted: () => this.#isWanted,
    });
    readonly #visit = createVisit({
      connect: connectWith,
      stage: this.#stage,
      say: this.#say,
      given: () => this.#given(),
      tell: {
        accepted: (session) => this.#tell("accepted", { session }),
        denied: (error) => this.#tell("denied", { error }),
        cancelled: (error) => this.#tell("cancelled", { error }),
        state: (state) => this.#tell("state", state),
      },
    });
    #isWanted = false;
    #isShown = false;
    #stopTicking = () => {};

    constructor() {
      super();
      this.#root.adoptedStyleSheets = [styleSheet()];
      // Whoever has pressed something in here wants to be led on. In Safari a button that is clicked gets no focus.
      for (const act of ["focusin", "click"]) this.#root.addEventListener(act, () => this.#want(), { capture: true });
    }

    connectedCallback(): void {
      this.#stopTicking();
      this.#stopTicking = startTicking(this.#stage);
      this.#stage.lift();
      // Behind the module that imports this one, which says there what the page gives.
      queueMicrotask(() => {
        if (!this.#isShown) this.#visit.idle();
        this.#isShown = true;
      });
    }

    disconnectedCallback(): void {
      this.#stopTicking();
      // Being moved within the page is a disconnection and a connection.
      queueMicrotask(() => {
        if (!this.isConnected && this.#visit.isEntering) this.cancel();
      });
    }

    start(): void {
      this.#want();
      this.#isShown = true;
      this.#visit.start();
    }

    cancel(): void {
      this.#visit.cancel();
    }

    #want(): void {
      this.#isWanted = true;
    }

    #given(): Given {
      const { appKey, ticket, pin, unpinned, answers, answerSecret, token, options = {} } = this;
      const url = this.url ?? this.getAttribute("url") ?? "";
      const member = this.member === undefined ? this.getAttribute("member") : this.member;
      return { url, member, appKey, ticket, pin, unpinned, answers, answerSecret, token, options };
    }

    #tell<Name extends keyof GateEvents>(name: Name, detail: GateEvents[Name]): void {
      this.dispatchEvent(new CustomEvent(name, { detail }));
    }
  }
  Object.assign(PortcullisGate.prototype, unset);
  return PortcullisGate;
}

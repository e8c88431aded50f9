import type { ConnectOptions, Session } from "@portcullis/client";

/** What a test can hand over to a page: properties of the element, as data. */
export interface Given {
  readonly ticket?: string;
  readonly pin?: string;
  readonly unpinned?: "allow";
  readonly url?: string;
  readonly member?: string;
  readonly appKey?: string;
  readonly answerSecret?: string;
  /** A callback of the page's that fails with this, once it is asked for a code. */
  readonly failing?: string;
  /** For the gate `jwt`. */
  readonly token?: string;
  readonly texts?: Readonly<Record<string, string>>;
  readonly options?: Pick<ConnectOptions, "timeoutMs" | "helloTimeoutMs" | "idParameter">;
}

/** What a page does with the element. The tests call these by name. */
export interface Actions {
  /** Puts a new one in the place of the one before. */
  put(given: Given, attributes?: Readonly<Record<string, string>>): void;
  start(): void;
  cancel(): void;
  remove(): void;
  /** To another place of the page, at once. */
  move(): void;
  view(): string;
  /** What the keyboard acts on: its tag, and its label or text. */
  focused(): string;
  /** What a screen reader says of it besides. */
  described(): string;
  /** What is said to be wrong: of a field, as it is tied to it, and aloud. */
  wrongs(): { readonly field: string; readonly aloud: string };
  /** All that is in the page, as markup: the document, and what the element shows. */
  markup(): string;
  /** How often `mark` was called, which nobody does but a script that came in as text. */
  marks(): number;
  setDirection(dir: "ltr" | "rtl"): void;
  /** By how many pixels the page is wider than the screen. */
  overflow(): number;
  /** A line for each event `state` since it was put there. */
  states(): readonly string[];
  /** Codes of the events `denied` and `cancelled`, with their names. */
  errors(): readonly string[];
  entered(): Pick<Session, "member" | "gates" | "suite" | "words"> | null;
  send(text: string, messageClass: string): Promise<void> | undefined;
  logout(): Promise<void> | undefined;
}

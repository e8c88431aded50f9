/** One thing that the person is shown or asked. */
export interface View {
  /** Of the attribute `data-view` of the card. */
  readonly name: string;
  readonly title: string;
  readonly body: readonly Node[];
  /** What gets the focus; null: the title, so that it is read out. */
  readonly focus: HTMLElement | null;
  /** Epoch milliseconds until which it is asked. */
  readonly untilMs?: number | undefined;
  /** Pressed: another way is wanted. */
  readonly other?: (() => void) | undefined;
  /** Nothing is begun yet, or all is over: there is nothing to be cancelled. */
  readonly isIdle?: boolean | undefined;
  /** It comes without anybody having done anything here: the focus stays where it is, unless that is in here. */
  readonly isUnasked?: boolean | undefined;
  /** Several times a second, for what counts down. */
  readonly tick?: ((nowMs: number) => void) | undefined;
}

/** What became of a view that was no longer wanted. */
export const gone: unique symbol = Symbol("gone");

/** What a person may do instead of answering. */
export const another: unique symbol = Symbol("another way");

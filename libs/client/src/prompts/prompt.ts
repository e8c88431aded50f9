/** What a person is asked for by one gate, for whatever user interface there is. */
export interface Prompt {
  readonly title: string;
  /** HTML's `inputmode`. */
  readonly inputMode: "numeric" | "text";
  /** HTML's `autocomplete`. */
  readonly autocomplete: string;
  /** HTML's `pattern`, for the normalised value. */
  readonly pattern: string;
  /** True: somebody gets a message first, and what it says is asked for. */
  readonly waits: boolean;
  /** What is sent for what a person typed. */
  normalise(value: string): string;
}

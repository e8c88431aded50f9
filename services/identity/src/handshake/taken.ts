import type { Answer } from "./turn.ts";

export type Action =
  | { readonly do: "answer"; readonly cid: string; readonly answer: Answer }
  | {
      readonly do: "offer";
      readonly answers: readonly Answer[];
      readonly parameters: Readonly<Record<string, string>>;
    }
  | { readonly do: "start"; readonly cid: string; readonly gate: string; readonly at: string | null }
  | { readonly do: "resend"; readonly cid: string }
  | { readonly do: "cancel"; readonly why?: "not-recognised" | undefined };

/** What came with a record, and what `keys` knows of it. */
export interface Taken {
  /** Of the connection. */
  readonly hid: string;
  readonly transcript: Uint8Array;
  /** Of the record. */
  readonly n: number;
  /** False: the app key was revoked since. */
  readonly keyLive: boolean;
  readonly action: Action;
}

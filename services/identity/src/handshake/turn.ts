export interface Answer {
  readonly gate: string;
  readonly value: string;
  readonly at: string | null;
}

/** What is going on: the step that is taken, and what came with it. */
export interface Turn {
  /** Of the handshake. */
  readonly id: string;
  /** Of the connection. */
  readonly hid: string;
  readonly n: number;
  /** HMAC of everything that came: another replica goes on only with the very same. */
  readonly given: string;
  readonly transcript: Uint8Array;
  /** Of the challenge that is answered. */
  readonly cid: string | null;
  readonly answers: readonly Answer[];
}

/** The connection on which something is said. */
export interface Where {
  readonly hid: string;
  readonly transcript: Uint8Array;
}

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
  /** What a person has to see to answer it, text of the server's; null or absent: nothing. */
  shown?(details: Asked["details"]): string | null;
  /** Whether a person can answer it, by what the server says about it; absent: yes. */
  isForPerson?(details: Asked["details"]): boolean;
  /** What the server says about it, as it may be shown; absent: as it is. @throws {PortcullisError | ProtocolError} on what must not be shown */
  read?(details: Asked["details"]): Readonly<Record<string, unknown>>;
  /** Whether an answer can be right by what is known here; where it cannot, it is asked once more and nothing is sent. Absent: the server knows. */
  fits?(value: string, details: Asked["details"], server: Known): boolean;
  /** Makes of the answer what is sent, on the connection where it is sent; absent: as it is. */
  prove?(value: string, asked: Pick<Asked, "details" | "th" | "cid">): Promise<string>;
  /**
   * Answers without a person, where it has what that takes; null: it has not, and somebody is asked.
   *
   * @throws {PortcullisError} `unsupported` on a question that it does not understand
   */
  automatic?(asked: Asked): Promise<string> | null;
}

/** What an application may give for answers without a person; options of `connect`. */
export interface Means {
  readonly answerSecret?: string | (() => string | PromiseLike<string>) | undefined;
  /** Has a passkey sign, where the platform's own `navigator.credentials` is not meant or not there. @returns its `toJSON()` */
  readonly passkey?: ((request: PasskeyRequest, signal: AbortSignal) => PromiseLike<unknown>) | undefined;
}

/** PublicKeyCredentialRequestOptionsJSON of WebAuthn level 3, section 5.1.9; bytes in base64url. */
export interface PasskeyRequest {
  readonly challenge: string;
  readonly rpId: string;
  readonly allowCredentials: readonly { readonly type: "public-key"; readonly id: string }[];
  readonly userVerification: "required";
}

/** What is known of the server without asking it. */
export interface Known {
  /** Words of its key, and of keys before it that lead to it. */
  readonly allWords: readonly string[];
}

/** A question that may be answered without a person. */
export interface Asked {
  /** As the server sent them. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Transcript hash of the connection, which proofs are bound to. */
  readonly th: Uint8Array;
  readonly cid: string;
  readonly means: Means;
  /** When the answer is due, by `clock`, in epoch milliseconds. */
  readonly untilMs: number;
  readonly clock: () => number;
  /** Aborted when no answer is wanted any more. */
  readonly signal: AbortSignal;
}

/**
 * What one service may tell another went wrong. HTTP statuses for `api` stand here so that there is one table; the text is
 * public. Internal detail never travels: it is in the log of whoever noticed it, under the same trace.
 */
export const serviceErrors = {
  invalid: { status: 400, retryable: false, text: "The request is not valid." },
  unauthenticated: { status: 401, retryable: false, text: "Not signed in, or what was given for it is not right." },
  second_factor_required: { status: 401, retryable: false, text: "A code from the authenticator app is required." },
  reauthentication_failed: {
    status: 403,
    retryable: false,
    text: "The password or code that was given to confirm this is not right.",
  },
  forbidden: { status: 403, retryable: false, text: "Not allowed." },
  not_found: { status: 404, retryable: false, text: "There is no such thing." },
  conflict: { status: 409, retryable: false, text: "It already exists, or changed meanwhile." },
  too_many: { status: 429, retryable: true, text: "Too many attempts. Try again later." },
  busy: { status: 503, retryable: true, text: "The same request is being handled. Try again." },
  unavailable: { status: 503, retryable: true, text: "A part of the system is not available. Try again." },
  internal: { status: 500, retryable: false, text: "Something went wrong." },
} as const;

export type ServiceErrorCode = keyof typeof serviceErrors;

/** Where a document that somebody sent is wrong, and what would be right. */
export interface Issue {
  /** For example `gates.0.gate`. */
  readonly path: string;
  readonly message: string;
}

/** Crosses the bus as code + issues; never with the message of the cause. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: ServiceErrorCode;
  readonly issues: readonly Issue[];
  /** Of `too_many`: seconds after which to try again. */
  readonly retryAfterS: number | null;
  constructor(
    code: ServiceErrorCode,
    options: ErrorOptions & { readonly issues?: readonly Issue[]; readonly retryAfterS?: number | null } = {},
  ) {
    super(serviceErrors[code].text, options);
    this.code = code;
    this.issues = options.issues ?? [];
    this.retryAfterS = options.retryAfterS ?? null;
  }
}

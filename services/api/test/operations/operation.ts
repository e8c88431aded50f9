/** One call of each operation: what is sent, what must reach the bus, what the bus says, what must come back. */
export interface Operation {
  readonly method: string;
  /** As in the OpenAPI document. */
  readonly route: string;
  readonly path?: string;
  readonly send?: unknown;
  readonly headers?: Record<string, string>;
  readonly contract: string;
  readonly asks: unknown;
  readonly answer: object;
  readonly status: number;
  /** null: no body. */
  readonly gives: unknown;
  /** A token must not be enough. */
  readonly sessionOnly?: true;
  readonly anonymous?: true;
}

/** What the shell is told. */
export const exitCodes = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

/** Ends the program with one line. */
export class Sorry extends Error {
  override readonly name = "Sorry";
  readonly exitCode: number;
  constructor(exitCode: number, line: string, options?: ErrorOptions) {
    super(line, options);
    this.exitCode = exitCode;
  }
}

const tokenPattern = /^[A-Za-z0-9_.-]{1,64}$/;

/** Class of an error, or `Error` where its name is not a plain token. */
export function errorName(error: unknown): string {
  return error instanceof Error && tokenPattern.test(error.name) ? error.name : "Error";
}

/** The error's `codeName` or `code`, where it is a plain token; drivers put whole sentences there too. */
export function errorCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code, codeName } = error as { readonly code?: unknown; readonly codeName?: unknown };
  for (const value of [codeName, code]) {
    if (typeof value === "string" && tokenPattern.test(value)) return value;
    if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  }
  return null;
}

/** Class and, where there is one, code of an error: fit for signals that must not carry data. */
export function errorClass(error: unknown): string {
  const code = errorCode(error);
  return code === null ? errorName(error) : `${errorName(error)} ${code}`;
}

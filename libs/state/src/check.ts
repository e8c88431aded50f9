const nameCharactersMax = 512;

/** @throws {TypeError} on a key, member or holder that an adapter could not carry. */
export function checkName(name: string): string {
  if (typeof name !== "string" || name.length === 0 || name.length > nameCharactersMax) {
    throw new TypeError(`a key is a string of 1 to ${nameCharactersMax} characters`);
  }
  // Lone surrogates all become the same bytes, and NUL ends a string in SQLite's functions: two keys must not become one.
  if (!name.isWellFormed() || name.includes("\0")) throw new TypeError("a key holds a lone surrogate or a NUL");
  return name;
}

export function checkTtl(ttlMs: number): number {
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1)
    throw new RangeError(`a time to live is whole milliseconds, not ${ttlMs}`);
  return ttlMs;
}

export function checkAmount(amount: number): number {
  if (!Number.isSafeInteger(amount)) throw new RangeError("an amount is a safe integer");
  return amount;
}

export function checkMark(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError("a mark is a non-negative safe integer");
  return value;
}

export function checkMembersMax(membersMax: number): number {
  if (!Number.isSafeInteger(membersMax) || membersMax < 1) throw new RangeError("a set has room for at least 1 member");
  return membersMax;
}

export function checkExpiry(expiresAtMs: number): number {
  if (!Number.isSafeInteger(expiresAtMs)) throw new RangeError("an expiry is whole epoch milliseconds");
  return expiresAtMs;
}

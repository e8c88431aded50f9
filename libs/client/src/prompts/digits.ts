/**
 * Codes are shown in groups, and pasted with what nobody sees; keyboards of some languages type digits of their own: full-width ones, Arabic and Persian
 * ones.
 */
export function digits(value: string): string {
  return value
    .normalize("NFKC")
    .replace(/[\s\p{Pd}\p{Cf}]/gu, "")
    .replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => `${digit.charCodeAt(0) % 16}`);
}

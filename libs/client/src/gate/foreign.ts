/** Format characters hide and reorder text; these two only shape letters and emoji. */
const dangerous = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Text of somebody else, fit for a line on a page: what would reorder, hide or break it (Unicode TR 36, "Trojan Source") is a replacement
 * character. That it is never markup is the business of `dom.ts`.
 */
export function harmless(text: string): string {
  return text.toWellFormed().replace(dangerous, "\ufffd");
}

// Format characters hide and reorder text; these two only shape letters and emoji.
const dangerous = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const pictureOfNul = 0x2400;
const pictureOfDel = 0x2421;

/**
 * Text of somebody else, fit for one line of a terminal. What would move the cursor, colour, retitle, reorder or begin a new line
 * is shown instead of obeyed: it could pass for somebody else's line, or for a command.
 */
export function harmless(text: string): string {
  return text.toWellFormed().replace(dangerous, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(pictureOfNul + code);
    if (code === 0x7f) return String.fromCodePoint(pictureOfDel);
    return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
  });
}

/**
 * JSON on one line, in which such characters are escaped. `JSON.stringify` leaves some as they are (U+009B begins a terminal's command like ESC [),
 * and what is meant for a program may be read at a terminal.
 */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value).replace(dangerous, (character) =>
    Array.from({ length: character.length }, (_, index) => escaped(character.charCodeAt(index))).join(""),
  );
}

/** RFC 8259 section 7: code units, so two for what lies beyond U+FFFF. */
function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}

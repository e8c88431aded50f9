/** What a member's sign may be, in characters: lines of a picture that any terminal and any font shows alike. */
export const signLimits = Object.freeze({ lines: 24, columns: 64, characters: 1024, visible: 4 });

/**
 * Why a text is no sign; null: it is one. A sign is shown at terminals and on pages of people who are to recognise it, so that it holds nothing that
 * moves a cursor, colours, hides or reorders (ESC, C1, format characters), nothing that looks like something else (Cyrillic а for a: all
 * of it is printable ASCII), and no space that nobody sees: two signs that look the same are the same.
 */
export function signProblemOf(text: string): string | null {
  const { lines: linesMax, columns, characters, visible } = signLimits;
  if (text.length > characters) return `must have at most ${characters} characters`;
  if (!/^[\x20-\x7e\n]*$/.test(text)) return "must be printable ASCII: no escapes, tabs, accents or look-alikes";
  const lines = text.split("\n");
  if (lines.length > linesMax) return `must have at most ${linesMax} lines`;
  if (lines.some((line) => line.length > columns)) return `must have at most ${columns} characters in a line`;
  if (lines.some((line) => line.endsWith(" "))) return "must have no space at the end of a line";
  if (lines[0] === "" || lines.at(-1) === "") return "must begin and end with a line that is not empty";
  if (text.replaceAll(/[ \n]/g, "").length < visible) return `must have at least ${visible} characters that are seen`;
  return null;
}

export function isSign(text: string): boolean {
  return signProblemOf(text) === null;
}

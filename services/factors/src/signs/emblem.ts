const rows = 6;
/** The left half with the middle; the right half mirrors it, which is what people recognise faces by. */
const half = 6;
const inks = "#*o+=%@x";

/**
 * A picture for who has none of their own, and what signs are picked among: the same kind, so that nobody tells from the picture alone whose it is.
 *
 * @param bytes 32 unpredictable ones: 36 bits say which fields are filled, and two say with what
 */
export function emblemOf(bytes: Uint8Array): string {
  const width = 2 * half - 1;
  const isFilled = (index: number) => (((bytes[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
  const [first, second] = [inkAt(bytes[30] ?? 0), inkAt(bytes[31] ?? 0)];
  const lines = Array.from({ length: rows }, (_, row) => {
    const left = Array.from({ length: half }, (_, column) => {
      if (!isFilled(row * half + column)) return " ";
      return isFilled(128 + row * half + column) ? first : second;
    });
    return `|${[...left, ...left.slice(0, -1).reverse()].join("")}|`;
  });
  const edge = "-".repeat(width);
  // Nothing but the frame would be no picture.
  const isBlank = lines.every((line) => line.trim() === `|${" ".repeat(width)}|`);
  if (isBlank) lines[rows / 2] = `|${first.repeat(width)}|`;
  return [`.${edge}.`, ...lines, `'${edge}'`].join("\n");
}

function inkAt(byte: number): string {
  return inks[byte % inks.length] ?? "#";
}

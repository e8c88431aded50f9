import { base64url } from "@portcullis/protocol";

const columns = 17;
const rows = 9;
/** How often a field was visited; the last two are where the walk began and ended. */
const symbols = " .o+=*BOX@%&#/^SE";

/**
 * A fingerprint as a picture, as OpenSSH draws one (the "drunken bishop"): a walk over 17 by 9 fields, two bits a step, low bits of
 * a byte first. People notice that it changed, who would not compare letters. For eyes only: nothing is decided by it.
 *
 * @param fingerprint 22 characters of base64url
 * @returns 9 lines of 17 characters
 */
export function randomart(fingerprint: string): readonly string[] {
  const visits = new Array<number>(columns * rows).fill(0);
  let [x, y] = [(columns - 1) / 2, (rows - 1) / 2];
  const start = y * columns + x;
  for (const byte of base64url.decode(fingerprint)) {
    for (let shift = 0; shift < 8; shift += 2) {
      const step = byte >> shift;
      x = Math.min(columns - 1, Math.max(0, x + ((step & 1) === 0 ? -1 : 1)));
      y = Math.min(rows - 1, Math.max(0, y + ((step & 2) === 0 ? -1 : 1)));
      const field = y * columns + x;
      visits[field] = Math.min(symbols.length - 3, (visits[field] ?? 0) + 1);
    }
  }
  visits[start] = symbols.length - 2;
  visits[y * columns + x] = symbols.length - 1;
  return Array.from({ length: rows }, (_, row) =>
    visits
      .slice(row * columns, (row + 1) * columns)
      .map((count) => symbols[count] ?? " ")
      .join(""),
  );
}

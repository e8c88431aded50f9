import { PNG } from "pngjs";
import { encode, renderSVG } from "uqr";

export interface QrPictures {
  readonly svg: string;
  readonly png: Uint8Array;
}

/** Four modules of white around it, as ISO/IEC 18004 asks: scanners find the code by it, also on a dark page. */
const quietModules = 4;
const pixelsPerModule = 6;
const level = "M";

export function qrPictures(text: string): QrPictures {
  const options = { ecc: level, border: quietModules } as const;
  return {
    svg: renderSVG(text, { ...options, pixelSize: pixelsPerModule }),
    png: pngOf(encode(text, options).data),
  };
}

function pngOf(modules: readonly (readonly boolean[])[]): Uint8Array {
  const side = modules.length * pixelsPerModule;
  const picture = new PNG({
    width: side,
    height: side,
    colorType: 0,
    inputColorType: 0,
    inputHasAlpha: false,
    bitDepth: 8,
  });
  const pixels = Buffer.alloc(side * side, 0xff);
  for (const [row, columns] of modules.entries()) {
    for (const [column, dark] of columns.entries()) {
      if (!dark) continue;
      for (let line = 0; line < pixelsPerModule; line += 1) {
        const start = (row * pixelsPerModule + line) * side + column * pixelsPerModule;
        pixels.fill(0, start, start + pixelsPerModule);
      }
    }
  }
  picture.data = pixels;
  return PNG.sync.write(picture, { colorType: 0, inputColorType: 0, inputHasAlpha: false });
}

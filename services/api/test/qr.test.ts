import jsQR from "jsqr";
import { PNG } from "pngjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { qrPictures } from "../src/authenticators/qr.ts";
import { startApi, type TestApi } from "./api.ts";
import { uri } from "./operations/samples.ts";

function scanned(pixels: Uint8ClampedArray, width: number, height: number): string | undefined {
  return jsQR.default(pixels, width, height)?.data;
}

function scannedPng(png: Uint8Array): string | undefined {
  const picture = PNG.sync.read(Buffer.from(png));
  return scanned(new Uint8ClampedArray(picture.data), picture.width, picture.height);
}

/** Draws the little that the SVG consists of: one white rectangle and one path of squares. */
function scannedSvg(svg: string): string | undefined {
  const side = Number(/viewBox="0 0 (\d+) \1"/.exec(svg)?.[1]);
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  for (const [, x, y, width, height] of svg.matchAll(/M(\d+),(\d+)h(\d+)v(\d+)h-\d+z/g)) {
    for (let row = Number(y); row < Number(y) + Number(height); row += 1) {
      for (let column = Number(x); column < Number(x) + Number(width); column += 1) {
        pixels.fill(0, (row * side + column) * 4, (row * side + column) * 4 + 3);
      }
    }
  }
  return scanned(pixels, side, side);
}

describe("a phone can scan both pictures", () => {
  const longest = `otpauth://totp/${"P".repeat(64)}:${"%C3%A4".repeat(40)}?secret=${"JBSWY3DP".repeat(8)}&issuer=${"P".repeat(64)}`;
  test.each([uri, "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP", longest, "x".repeat(512)])("%s", (text) => {
    const { svg, png } = qrPictures(text);
    expect(scannedPng(png)).toBe(text);
    expect(scannedSvg(svg)).toBe(text);
  });

  test("a picture with a few damaged modules still scans, one of something else does not say the same", () => {
    const picture = PNG.sync.read(Buffer.from(qrPictures(uri).png));
    picture.data.fill(255, 4 * picture.width * 110, 4 * picture.width * 114);
    expect(scannedPng(PNG.sync.write(picture))).toBe(uri);
    expect(scannedPng(qrPictures(`${uri}x`).png)).not.toBe(uri);
  });

  test("the PNG is square, its quiet zone of four modules is white", () => {
    const picture = PNG.sync.read(Buffer.from(qrPictures(uri).png));
    expect(picture.width).toBe(picture.height);
    expect(picture.width % 6).toBe(0);
    // Version v has 17 + 4v modules.
    expect((picture.width / 6 - 8 - 17) % 4).toBe(0);
    const quiet = 24;
    for (let y = 0; y < picture.height; y += 1) {
      for (let x = 0; x < picture.width; x += 1) {
        const inside = x >= quiet && y >= quiet && x < picture.width - quiet && y < picture.height - quiet;
        if (!inside) expect(picture.data[(y * picture.width + x) * 4]).toBe(255);
      }
    }
  });

  test("the SVG is well-formed and cannot carry anything but numbers", () => {
    const { svg } = qrPictures('"><script>alert(1)</script>');
    expect(svg).toMatch(
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"><rect fill="white" width="\d+" height="\d+"\/><path fill="black" d="[Mhvz0-9,-]+"\/><\/svg>$/,
    );
  });
});

describe("enrolment is answered as the caller likes it", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
    api.answers["identity.sockets.authenticators.enrol"] = { uri };
  });
  afterAll(() => api.close());
  const enrol = (accept: string) =>
    api.signedIn("POST", "/v1/sockets/sck_1/members/bob/authenticator", undefined, { accept });

  test.each(["application/json", "*/*", "text/html", "application/json, image/png;q=0.5"])(
    "JSON with both pictures: %s",
    async (accept) => {
      const body = (await (await enrol(accept)).json()) as { uri: string; qrSvg: string; qrPngBase64: string };
      expect(Object.keys(body)).toEqual(["uri", "qrSvg", "qrPngBase64"]);
      expect(body.uri).toBe(uri);
      expect(scannedSvg(body.qrSvg)).toBe(uri);
      expect(scannedPng(Buffer.from(body.qrPngBase64, "base64"))).toBe(uri);
    },
  );

  test.each(["image/png", "image/png, application/json;q=0.5", "image/*;q=0.1, image/png"])(
    "PNG: %s",
    async (accept) => {
      const response = await enrol(accept);
      expect(response.headers.get("content-type")).toBe("image/png");
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(response.headers.get("vary")).toBe("accept");
      expect(scannedPng(new Uint8Array(await response.arrayBuffer()))).toBe(uri);
    },
  );

  test("SVG", async () => {
    const response = await enrol("image/svg+xml");
    expect(response.headers.get("content-type")).toBe("image/svg+xml");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(scannedSvg(await response.text())).toBe(uri);
  });
});

import { randomInt } from "node:crypto";
import { request } from "node:http";
import type { Features } from "./classifier.ts";
import { shapeOf } from "./probe.ts";

/** What is different each time, whoever asks. */
const passing = /^(?:date|x-request-id|ratelimit.*|x-ratelimit.*)$/;

export function askForPage(url: string, path: string): Promise<Features> {
  return asked(`${url}${path}`, "GET", null);
}

/** A wrong passphrase, from a network that has not tried yet. */
export function tryPassphrase(url: string, path: string, name: string): Promise<Features> {
  return asked(`${url}${path}`, "POST", JSON.stringify({ id: name, passphrase: "nobody's passphrase" }));
}

function asked(url: string, method: string, body: string | null): Promise<Features> {
  const from = [1, 2, 3].map(() => randomInt(1, 255)).join(".");
  const headers = {
    "x-forwarded-for": `11.${from}`,
    ...(body === null ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    let sentAt = 0;
    const sent = request(url, { method, headers, agent: false }, (response) => {
      const headMs = performance.now() - sentAt;
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const ms = performance.now() - sentAt;
        const stable = Object.entries(response.headers).filter(([name]) => !passing.test(name));
        const text = Buffer.concat(chunks).toString();
        resolve([
          response.statusCode ?? 0,
          ...shapeOf(Buffer.from(JSON.stringify(stable))),
          ...shapeOf(Buffer.from(text)),
          headMs,
          ms,
        ]);
      });
    });
    sent.once("error", reject);
    sent.end(body ?? undefined, () => {
      sentAt = performance.now();
    });
  });
}

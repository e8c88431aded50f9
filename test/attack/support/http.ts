import { request } from "node:http";
import type { World } from "../../e2e/support/world.ts";

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a text as it is. */
  readonly body?: unknown;
}

/** Exactly these headers and bytes: neither a browser's nor `fetch`'s own. */
export function ask(world: World, path: string, { method = "GET", headers = {}, body }: Ask = {}): Promise<Reply> {
  const payload = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      `${world.url}${path}`,
      {
        method,
        headers: {
          ...(payload === null ? {} : { "content-length": String(Buffer.byteLength(payload)) }),
          ...(body !== undefined && typeof body !== "string" ? { "content-type": "application/json" } : {}),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(payload ?? undefined);
  });
}

/** All of an answer that says something, but for what is different each time. */
export function essence({ status, headers, text }: Reply) {
  const { date: _date, "x-request-id": _id, ...rest } = headers;
  const stable = Object.entries(rest).filter(
    ([name]) => !name.startsWith("ratelimit") && !name.startsWith("x-ratelimit"),
  );
  return { status, headers: Object.fromEntries(stable), text };
}

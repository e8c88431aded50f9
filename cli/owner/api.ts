import { z } from "zod";
import { exitCodes, Sorry } from "../exit.ts";
import { harmless } from "../harmless.ts";

export type Json = Readonly<Record<string, unknown>>;

export interface Api {
  readonly url: string;
  /** @throws {Sorry} nobody answers, or what is answered is no */
  ask(method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, options?: AskOptions): Promise<Json>;
  /** What is too large to be held at once. @throws {Sorry} likewise, also where it breaks off */
  download(path: string, take: (bytes: Uint8Array) => Promise<unknown>): Promise<void>;
}

export interface AskOptions {
  readonly body?: Json;
  /** What this problem means here, by its code; others are said as the server says them. */
  readonly onProblem?: (code: string) => void;
  readonly onCookie?: (cookie: string) => void;
}

/** RFC 9457. */
const problem = z.object({
  code: z.string(),
  title: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
});

const timeoutMs = 20_000;

/**
 * @param credential headers that say who asks
 * @param noSuchThing what is said where the server knows nothing of that name; it does not say of what
 */
export function createApi(url: string, credential: Readonly<Record<string, string>>, noSuchThing?: string): Api {
  const origin = originOf(url);
  return {
    url: origin,
    async ask(method, path, { body, onProblem, onCookie } = {}) {
      const headers: Record<string, string> = { origin, accept: "application/json", ...credential };
      if (body !== undefined) headers["content-type"] = "application/json";
      let response: Response;
      let text: string;
      try {
        response = await fetch(`${origin}${path}`, {
          method,
          headers,
          body: body === undefined ? null : JSON.stringify(body),
          redirect: "error",
          signal: AbortSignal.timeout(timeoutMs),
        });
        text = await response.text();
      } catch {
        throw new Sorry(exitCodes.unreachable, `nothing answers at ${origin}: is the server running?`);
      }
      if (!response.ok) throw sorryFor(response.status, text, { onProblem, noSuchThing });
      for (const cookie of response.headers.getSetCookie()) onCookie?.(cookie.split(";", 1)[0] ?? "");
      return text === "" ? {} : (JSON.parse(text) as Json);
    },
    async download(path, take) {
      const headers = { origin, ...credential };
      const asked = fetch(`${origin}${path}`, { headers, redirect: "error" });
      const response = await asked.catch(() => {
        throw new Sorry(exitCodes.unreachable, `nothing answers at ${origin}: is the server running?`);
      });
      if (!response.ok) throw sorryFor(response.status, await response.text(), { onProblem: undefined, noSuchThing });
      try {
        for await (const bytes of response.body ?? []) await take(bytes);
      } catch (cause) {
        throw new Sorry(exitCodes.refused, "it broke off: what is there is not the whole", { cause });
      }
    },
  };
}

function originOf(url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new Sorry(exitCodes.usage, "--url must be where the API is, like https://portcullis.example.com");
  return new URL(url).origin;
}

interface SaidInstead {
  readonly onProblem: AskOptions["onProblem"];
  readonly noSuchThing: string | undefined;
}

function sorryFor(status: number, text: string, { onProblem, noSuchThing }: SaidInstead): Sorry {
  const parsed = problem.safeParse(jsonOf(text));
  if (!parsed.success)
    return new Sorry(exitCodes.refused, `the server answered ${status}, and nothing that is understood here`);
  const { code, title, issues } = parsed.data;
  onProblem?.(code);
  if (code === "unauthenticated")
    return new Sorry(exitCodes.refused, "you are not signed in: portcullis owner sign-in");
  if (code === "not_found" && noSuchThing !== undefined) return new Sorry(exitCodes.refused, noSuchThing);
  const details = issues.map(({ path, message }) => `\n  ${harmless(path)} ${harmless(message)}`).join("");
  return new Sorry(exitCodes.refused, `${harmless(title)}${details}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

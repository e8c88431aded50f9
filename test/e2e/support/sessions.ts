import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectOptions, connect, PortcullisError, type Session } from "@portcullis/client";

/** What a refused `connect` rejects with, whatever was wrong. */
export const denial = { name: "PortcullisError", code: "denied", retryable: false };

/** As many messages as wanted, in the order in which they came, as text. */
export async function read(session: Session, count: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of session) {
    texts.push(message.text());
    if (texts.length === count) break;
  }
  return texts;
}

/** Sessions that are closed together when a test ends, however it ends. */
export function sessionKeeper() {
  const sessions = new Set<Session>();
  return {
    async connect(url: string, options: ConnectOptions): Promise<Session> {
      const session = await connect(url, { timeoutMs: 15_000, ...options });
      sessions.add(session);
      return session;
    },
    async closeAll(): Promise<void> {
      await Promise.all([...sessions].map((session) => session.close()));
      sessions.clear();
    },
  };
}

/** The same socket at another edge. */
export function at(edge: string | undefined, url: string): string {
  if (edge === undefined) throw new Error("there is no such edge");
  const { pathname, search } = new URL(url);
  return `${edge}${pathname}${search}`;
}

/** As a client does that is told to: again, after a moment. @returns how often it took another try. */
export async function comeBack(enter: () => Promise<unknown>): Promise<number> {
  for (let failures = 0; ; failures += 1) {
    try {
      await enter();
      return failures;
    } catch (error) {
      if (!(error instanceof PortcullisError) || !error.retryable || failures === 20) throw error;
      await sleep(250);
    }
  }
}

import { PortcullisError, type Session } from "@portcullis/client";
import { exitCodes } from "../exit.ts";
import type { Terminal } from "../terminal.ts";
import type { Pauses } from "./pauses.ts";
import type { Report } from "./report.ts";
import type { Voice } from "./voice.ts";

/** Line by line, from a person or a pipe. @returns the exit code. */
export async function chat(
  session: Session,
  {
    voice,
    terminal,
    report,
    pauses,
  }: {
    readonly voice: Voice;
    readonly terminal: Terminal;
    readonly report: Report;
    readonly pauses: Pauses;
  },
): Promise<number> {
  const closing = session.closed;
  let left = false;
  const reading = (async () => {
    for await (const message of session) {
      try {
        const heard = await voice.hear(message);
        if (heard !== null) report.message(heard);
      } catch (error) {
        if (!(error instanceof PortcullisError)) throw error;
        report.notOpened(error);
      }
    }
  })();
  reading.catch(() => {});

  const stop = new AbortController();
  void closing.then(() => stop.abort());
  for (;;) {
    // What is typed now answers what the socket asks.
    await Promise.race([pauses.over(), closing]);
    const line = await terminal.ask("", { signal: AbortSignal.any([stop.signal, pauses.signal]) });
    if (line === null && pauses.signal.aborted && !stop.signal.aborted) continue;
    if (line === null) break;
    const [, kind, text = line] = /^\/class ([a-z][a-z0-9-]{0,31}) (.*)$/.exec(line) ?? [];
    try {
      if (line !== "") await voice.say(text, kind);
    } catch (error) {
      if (!(error instanceof PortcullisError)) throw error;
      if (error.code === "closed") break;
      report.notSent(error, session.limits);
    }
  }
  if (!stop.signal.aborted) {
    left = true;
    await session.close();
  }
  const how = await closing;
  if (left) return exitCodes.ok;
  report.closed(how);
  return exitCodes.refused;
}

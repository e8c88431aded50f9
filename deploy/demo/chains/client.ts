import { type ConnectOptions, connect, PortcullisError, type Session } from "@portcullis/client";
import type { Narrator } from "../narrator.ts";

export interface Entrance {
  readonly who: string;
  readonly url: string;
  readonly narrator: Narrator;
  readonly options: ConnectOptions;
}

/** A client, by the SDK, with every frame told. */
export function enter({ who, url, narrator, options }: Entrance): Promise<Session> {
  return connect(url, {
    ...options,
    onFrame: (direction, kind, summary) => narrator.frame(who, { event: "frame", direction, kind, summary }),
  });
}

/** @returns the code with which it was refused; `accept` where it was not */
export async function refusalOf(entrance: Entrance): Promise<string> {
  try {
    const session = await enter(entrance);
    await session.close();
    return "accept";
  } catch (error) {
    if (error instanceof PortcullisError) return error.code;
    throw error;
  }
}

const hearMsMax = 15_000;

/** The text of the next message. @throws {Error} none came */
export async function hear(session: Session): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no message came")), hearMsMax);
  });
  try {
    const next = await Promise.race([session[Symbol.asyncIterator]().next(), late]);
    if (next.done === true) throw new Error("the session ended before a message came");
    return next.value.text();
  } finally {
    clearTimeout(timer);
  }
}

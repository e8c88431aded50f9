import type { ChildProcess } from "node:child_process";
import type { EventName, EventOf, MemberEvent, Order } from "./member-messages.ts";

export type Question = EventOf<"question">;

/** How an attempt to get in ended. */
export interface Attempt {
  /** Null where it was refused. */
  readonly accepted: EventOf<"accepted"> | null;
  readonly refused: EventOf<"refused"> | null;
  /** How often a code was asked for. */
  readonly questions: number;
}

export interface Entering {
  readonly answerSecret: string;
  readonly by: "link" | "code";
  /** @returns null to give up */
  answer(question: Question): Promise<string | null> | string | null;
  /** Somebody else has to do something; the client shows this number. */
  confirm(number: string): Promise<void>;
}

/** The other end of a `member.ts` process. */
export interface Actor {
  readonly name: string;
  /** @param as how, and what is done when something is asked or waited for */
  join(url: string, appKey: string, as: Entering): Promise<Attempt>;
  /** False where the session takes nothing any more. */
  say(text: string): Promise<boolean>;
  leave(): Promise<void>;
  /** The next event of that name, kept if it came before it was asked for. */
  next<Name extends EventName>(...names: Name[]): Promise<EventOf<Name>>;
}

const eventMsMax = 30_000;

interface Waiting {
  readonly names: readonly EventName[];
  readonly resolve: (event: MemberEvent) => void;
  readonly reject: (error: Error) => void;
}

export function createActor(
  name: string,
  child: ChildProcess,
  onFrame: (name: string, frame: EventOf<"frame">) => void,
): Actor {
  const events: MemberEvent[] = [];
  const waiting = new Set<Waiting>();
  let gone: Error | null = null;

  child.on("message", (message) => {
    // Our own program at the other end of a private channel.
    const event = message as MemberEvent;
    if (event.event === "frame") return onFrame(name, event);
    for (const one of waiting) {
      if (!one.names.includes(event.event)) continue;
      waiting.delete(one);
      return one.resolve(event);
    }
    events.push(event);
  });
  child.on("error", (error) => fail(error));
  child.on("exit", (code, signal) =>
    fail(new Error(`the process of ${name} ended (${signal ?? `exit code ${code}`})`)),
  );

  function fail(error: Error): void {
    gone ??= error;
    for (const { reject } of waiting) reject(gone);
    waiting.clear();
  }

  function order(what: Order): void {
    if (child.connected) child.send(what);
  }

  async function next<Name extends EventName>(...names: Name[]): Promise<EventOf<Name>> {
    const index = events.findIndex(({ event }) => (names as EventName[]).includes(event));
    const [kept] = index === -1 ? [] : events.splice(index, 1);
    if (kept !== undefined) return kept as EventOf<Name>;
    if (gone !== null) throw gone;
    const { promise, resolve, reject } = Promise.withResolvers<MemberEvent>();
    const one = { names, resolve, reject };
    waiting.add(one);
    const timer = setTimeout(() => {
      waiting.delete(one);
      reject(new Error(`${name} waited ${eventMsMax / 1_000} s for: ${names.join(" or ")}`));
    }, eventMsMax);
    try {
      return (await promise) as EventOf<Name>;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    name,
    next,
    async join(url, appKey, { answerSecret, by, answer, confirm }) {
      order({ do: "join", url, appKey, answerSecret, by });
      for (let questions = 0; ; ) {
        const event = await next("question", "waiting", "accepted", "refused");
        if (event.event === "accepted") return { accepted: event, refused: null, questions };
        if (event.event === "refused") return { accepted: null, refused: event, questions };
        if (event.event === "waiting") {
          await confirm(event.number);
          continue;
        }
        questions += 1;
        order({ do: "answer", value: await answer(event) });
      }
    },
    async say(text) {
      order({ do: "say", text });
      return (await next("said", "unsaid")).event === "said";
    },
    async leave() {
      order({ do: "leave" });
      await next("left");
    },
  };
}

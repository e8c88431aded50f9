import { prompts } from "@portcullis/client";
import { parseAppKey } from "@portcullis/crypto";
import { fingerprintWords } from "@portcullis/crypto/words";
import type { Challenge } from "@portcullis/protocol";
import type { OwnedSocket } from "../../e2e/support/socket.ts";
import type { Way } from "../../e2e/support/ways.ts";
import { type Knock, knock } from "./knock.ts";

type Option = Challenge["options"][number];

/** Somebody behind the key and before one gate, who can say there whatever they got hold of. */
export interface AtTheGate {
  readonly knock: Knock;
  readonly option: Option;
  /** Of what stands now. */
  cid(): string;
  /** Has the message of a gate that waits sent. @returns what the wait says, the number for its people among it. */
  start(): Promise<Readonly<Record<string, unknown>>>;
  answer(value: string): Promise<void>;
  /** Whether the next verdict lets in; what only tells how a wait fares is none. */
  isLetIn(): Promise<boolean>;
}

export async function atTheGate(url: string, { appKey }: OwnedSocket, from: string): Promise<AtTheGate> {
  const own = await knock(url, { appKey, from });
  const challenge = await own.challenge();
  const [option] = challenge.options;
  if (option === undefined) throw new Error("there is no gate");
  const { gate } = option;
  let { cid } = challenge;
  let said = 0;
  const say = (plaintext: object) => {
    said += 1;
    return own.say({ n: said, ...plaintext });
  };
  return {
    knock: own,
    option,
    cid: () => cid,
    async start() {
      await say({ t: "start", cid, gate });
      const wait = await own.hear();
      if (wait?.t !== "wait") throw new Error(`not a wait: ${wait?.t ?? "closed"}`);
      ({ cid } = wait);
      return wait.prompt ?? {};
    },
    answer: (value) => say({ t: "answer", cid, gate, value }),
    async isLetIn() {
      let heard = await own.hear();
      while (heard?.t === "wait") heard = await own.hear();
      return heard?.t === "accepted";
    },
  };
}

/** What the person who is rightly there would have their client say, on that connection and to that question. */
export async function rightAnswer({ options }: Way, { appKey }: OwnedSocket, who: AtTheGate): Promise<string> {
  const { gate, at, prompt: details = {} } = who.option;
  const ask = Object.entries(prompts).find(([name]) => name === gate)?.[1];
  const means = options(() => undefined);
  const { signal } = new AbortController();
  const untilMs = Date.now() + 30_000;
  const asked = { details, th: who.knock.th, cid: who.cid(), means, untilMs, clock: Date.now, signal };
  const automatic = await (ask?.automatic?.(asked) ?? null);
  if (automatic !== null) return automatic;

  const { fingerprint } = parseAppKey(appKey);
  const server = { fingerprint, pinned: true, successorOf: null, words: fingerprintWords(fingerprint) };
  const typed = await means.answers?.[gate]?.({
    ...{ gate, at, details, ask: ask ?? null, options: [], retry: false, attemptsLeft: 1, answerUntilMs: untilMs },
    ...{ server: { ...server, randomart: [], edge: "" }, waiting: null, signal },
  });
  if (typeof typed !== "string") throw new Error(`nobody answers ${gate}`);
  return (await ask?.prove?.(typed, asked)) ?? typed;
}

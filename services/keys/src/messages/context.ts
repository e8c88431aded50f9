import type { Caller } from "@portcullis/bus";
import type { RecordWriter } from "@portcullis/crypto";
import type { MessageUp } from "@portcullis/protocol";
import type { Clock, Ids } from "@portcullis/runtime";
import type { Directory } from "../directory/directory.ts";
import type { Groups } from "../groups/groups.ts";
import type { StoredSession } from "../sessions/session-secrets.ts";
import type { WordsOf } from "../sessions/words.ts";
import type { DirectedContext, takeDirected } from "./directed.ts";
import type { History } from "./history.ts";
import type { ParkedMessages } from "./parked.ts";
import type { Ticks } from "./ticks.ts";

export interface MessageContext extends DirectedContext {
  readonly groups: Groups;
  readonly history: History;
  readonly ticks: Ticks;
  /** Of the sockets, also where this is the world of decoys. */
  readonly directory: Directory;
  readonly writer: RecordWriter;
  readonly parked: ParkedMessages;
  readonly wordsOf: WordsOf;
  readonly caller: Pick<Caller, "emit" | "call">;
  /** Whether the app key still lives. True where there is none. */
  readonly isKeyLive: (keyId: string | null) => Promise<boolean>;
  /** How a message for one is taken. */
  readonly direct: typeof takeDirected;
  /** Something was said, and has its place. Nobody waits for what is made of that. */
  readonly taken: (session: StoredSession, said: Pick<MessageUp, "body">) => void;
  readonly clock: Clock;
  readonly ids: Ids;
}

import type { Platform } from "@portcullis/platform";
import type { SocketStore } from "../sockets/store.ts";
import { createAppend } from "./book.ts";
import { createHeads } from "./head.ts";
import { createMarks } from "./marks.ts";
import { createAudit } from "./queue.ts";
import { forgetBook, startPruning } from "./retention.ts";
import { openAuditStore } from "./store.ts";
import { createTurnedAway } from "./turned-away.ts";

const minuteMs = 60_000;

/** The books of all sockets. What is in the queues is written before this process ends. */
export async function openAudit(
  { documents, state, vault, clock, closer, log }: Platform,
  sockets: Pick<SocketStore, "sockets">,
) {
  const store = await openAuditStore(documents);
  const marks = createMarks(vault);
  const heads = createHeads({ state, store, marks, log });
  const audit = createAudit({ append: createAppend({ store, sockets, heads, marks }), clock, log });
  const turnedAway = createTurnedAway(audit, log);
  const everyMinute = setInterval(() => turnedAway.flush(), minuteMs);
  everyMinute.unref();
  const pruning = startPruning({ store, marks, sockets, state, clock, log });
  closer.add("audit", async () => {
    clearInterval(everyMinute);
    await pruning.stop();
    turnedAway.flush();
    await audit.flush();
  });
  return {
    store,
    marks,
    heads,
    audit,
    turnedAway,
    forgetBook: (socketId: string) => forgetBook({ store, heads }, socketId),
  };
}

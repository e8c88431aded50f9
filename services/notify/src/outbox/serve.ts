import { createHash, timingSafeEqual } from "node:crypto";
import type { Server } from "@portcullis/bus";
import { readOutbox, ServiceError } from "@portcullis/contracts";
import type { Outbox } from "../transports/outbox.ts";

/** What was written to the outbox, for who has its key: codes and links of everybody are in there. */
export async function serveOutbox(
  server: Server,
  { outbox, key }: { readonly outbox: Outbox | null; readonly key: string | null },
): Promise<void> {
  await server.serve(readOutbox, async ({ key: given, limit }) => {
    if (outbox === null || key === null) return { messages: null };
    if (!timingSafeEqual(digest(key), digest(given))) throw new ServiceError("unauthenticated");
    return { messages: await outbox.read(limit) };
  });
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

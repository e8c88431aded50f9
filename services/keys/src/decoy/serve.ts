import type { Server } from "@portcullis/bus";
import { decoyNoted, forgetDecoys, keepDecoyScript, readDecoyRecords, readDecoyScript } from "@portcullis/contracts";
import type { Scripts } from "./scripts.ts";
import type { Transcript } from "./transcript.ts";

/** For the owner, through `identity`, who knows whose a room is. */
export async function serveDecoys(
  server: Server,
  { transcript, scripts }: { readonly transcript: Transcript; readonly scripts: Scripts },
): Promise<void> {
  await server.on(decoyNoted, async ({ socketId, room, ...noted }) => transcript.note({ socketId, room }, noted));
  await server.serve(readDecoyRecords, ({ room, after, limit }) => transcript.page(room, after, limit));
  await server.serve(readDecoyScript, async ({ socketId }) => ({ script: await scripts.get(socketId) }));
  await server.serve(keepDecoyScript, async ({ socketId, script }) => {
    await scripts.keep(socketId, script);
    return {};
  });
  await server.serve(forgetDecoys, async ({ socketId }) => {
    await scripts.keep(socketId, null);
    await transcript.forget(socketId);
    return {};
  });
}

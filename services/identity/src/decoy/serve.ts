import type { Server } from "@portcullis/bus";
import { endDecoy, getDecoyScript, listDecoys, readDecoy, setDecoyScript } from "@portcullis/contracts";
import {
  type DecoyContext,
  endDecoyOf,
  getDecoyScriptOf,
  listDecoysOf,
  readDecoyOf,
  setDecoyScriptOf,
} from "./owner.ts";

export async function serveDecoys(server: Server, context: DecoyContext): Promise<void> {
  await server.serve(listDecoys, (body) => listDecoysOf(context, body));
  await server.serve(readDecoy, (body) => readDecoyOf(context, body));
  await server.serve(endDecoy, (body) => endDecoyOf(context, body));
  await server.serve(setDecoyScript, (body) => setDecoyScriptOf(context, body));
  await server.serve(getDecoyScript, (body) => getDecoyScriptOf(context, body));
}

import { createHash } from "node:crypto";
import type { Server } from "@portcullis/bus";
import { handshakeOpen, handshakeRecord, type Step, serverBundle } from "@portcullis/contracts";
import { type OpenContext, type OpenRequest, openHandshake } from "./open.ts";
import { takeRecord } from "./record.ts";

const rememberMs = 90_000;

/** @param replica names this process life; openings are routed to it because only it holds the bundle's secret keys. */
export async function serveHandshakes(server: Server, replica: string, context: OpenContext): Promise<void> {
  const once = createOnce(context);
  await server.serve(serverBundle, async () => ({ ...(await context.bundles.current()), replica }));
  await server.serve(handshakeOpen, (body) => once(body), { route: replica });
  await server.serve(handshakeRecord, (body) => takeRecord(context, body));
}

/** The same opening, repeated by its edge, joins the first one or gets its step. All repeats reach this very replica. */
function createOnce(context: OpenContext): (request: OpenRequest) => Promise<Step> {
  const opened = new Map<string, { readonly frame: string; readonly step: Promise<Step>; readonly untilMs: number }>();
  return (request) => {
    const now = context.clock();
    for (const [hid, { untilMs }] of opened) {
      // Insertion order is age order: the first that is young enough ends the sweep.
      if (untilMs > now) break;
      opened.delete(hid);
    }
    const frame = createHash("sha256").update(request.open).digest("base64url");
    const known = opened.get(request.hid);
    if (known !== undefined && known.frame === frame) return known.step;
    const step = openHandshake(context, request);
    if (known === undefined) opened.set(request.hid, { frame, step, untilMs: now + rememberMs });
    return step;
  };
}

import type { Server } from "@portcullis/bus";
import { handshakeOpen, handshakeRecord, pushOutcome, type Step, serverBundle } from "@portcullis/contracts";
import { frameHash } from "./channel.ts";
import { type OpenContext, type OpenRequest, openHandshake } from "./open.ts";
import { push } from "./push.ts";
import { takeRecord } from "./record.ts";

/** @param replica names this process life; openings are routed to it because only it holds the bundle's secret keys. */
export async function serveHandshakes(server: Server, replica: string, context: OpenContext): Promise<void> {
  const open = createJoin(context);
  await server.serve(serverBundle, async () => ({ ...(await context.bundles.current()), replica }));
  await server.serve(handshakeOpen, (body) => open(body), { route: replica });
  await server.serve(handshakeRecord, (body) => takeRecord(context, body));
  await server.serve(pushOutcome, (body) => push(context, body));
}

/** The same opening while it is being handled joins it. Afterwards the stored step answers, which outlives this process. */
function createJoin(context: OpenContext): (request: OpenRequest) => Promise<Step> {
  const running = new Map<string, Promise<Step>>();
  return (request) => {
    const name = `${request.kid} ${request.hid} ${frameHash(request.open)}`;
    const joined = running.get(name);
    if (joined !== undefined) return joined;
    const step = openHandshake(context, request).finally(() => running.delete(name));
    running.set(name, step);
    return step;
  };
}

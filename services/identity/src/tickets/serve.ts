import type { Server } from "@portcullis/bus";
import { beginPasskeyTicket, exchangePasskey, exchangePassphrase, mintTicket } from "@portcullis/contracts";
import type { TicketContext } from "./context.ts";
import { exchangePassphraseOf } from "./exchange.ts";
import { mintTicketOf } from "./mint.ts";
import { beginPasskeyTicketOf, exchangePasskeyOf } from "./passkey.ts";

export async function serveTickets(server: Server, context: TicketContext): Promise<void> {
  await server.serve(mintTicket, (body) => mintTicketOf(context, body));
  await server.serve(exchangePassphrase, (body) => exchangePassphraseOf(context, body));
  await server.serve(beginPasskeyTicket, (body) => beginPasskeyTicketOf(context, body));
  await server.serve(exchangePasskey, (body) => exchangePasskeyOf(context, body));
}

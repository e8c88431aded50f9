import type { Server } from "@portcullis/bus";
import { exchangePassphrase, mintTicket } from "@portcullis/contracts";
import type { TicketContext } from "./context.ts";
import { exchangePassphraseOf } from "./exchange.ts";
import { mintTicketOf } from "./mint.ts";

export async function serveTickets(server: Server, context: TicketContext): Promise<void> {
  await server.serve(mintTicket, (body) => mintTicketOf(context, body));
  await server.serve(exchangePassphrase, (body) => exchangePassphraseOf(context, body));
}

import { type exchangePassphrase, ServiceError } from "@portcullis/contracts";
import type { z } from "zod";
import type { TicketContext } from "./context.ts";
import { admissible, claimedOf, mintFor } from "./member.ts";

type Request = z.output<(typeof exchangePassphrase)["request"]>;
type Reply = z.output<(typeof exchangePassphrase)["reply"]>;

/**
 * A member's passphrase for a ticket. Unknown label, path or member, a member without a passphrase and a wrong one are the same: the
 * same look-ups, the same counters, one slow hash.
 *
 * @throws {ServiceError} unauthenticated, too_many, busy
 */
export async function exchangePassphraseOf(context: TicketContext, request: Request): Promise<Reply> {
  const { passphrases, attempts } = context;
  const { passphrase, address, returnOrigin } = request;
  const { account, found } = await claimedOf(context, request);
  const right = await attempts.passphrase.judge(account, address, async () => {
    const hash = found?.member.body.passphraseHash ?? null;
    return admissible(context, (await passphrases.matches(hash, passphrase)) ? found : null, address);
  });
  if (right === null) throw new ServiceError("unauthenticated");
  return mintFor(context, right, "ticket", returnOrigin);
}

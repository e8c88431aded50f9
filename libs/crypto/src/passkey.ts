import { lp, utf8 } from "@portcullis/protocol";
import { H, L } from "./derive.ts";

/**
 * What a passkey signs: H(L("passkey") ‖ TH ‖ lp(cid)). Neither side chooses it: it names this question on this connection.
 *
 * @param th transcript hash of the connection on which it is answered
 */
export async function passkeyChallenge(th: Uint8Array, cid: string): Promise<Uint8Array> {
  return H(L("passkey"), th, lp(utf8(cid)));
}

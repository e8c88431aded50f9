import type { Caller } from "@portcullis/bus";
import { recordIdentity, ServiceError } from "@portcullis/contracts";
import { CryptoError } from "@portcullis/crypto";
import { type AskDirectory, type ConsumerDown, ProtocolError, type Publish } from "@portcullis/protocol";
import type { Sender } from "../messages/place.ts";
import type { Directory } from "./directory.ts";

/**
 * Anybody on the socket may ask who is behind a name; the owner's program says so. In a decoy it is what the real socket has: everybody there may see it, and
 * who asks could otherwise tell.
 *
 * @throws {ProtocolError} out-of-order: members publish nothing, and nobody else comes into a decoy
 */
export async function answerDirectory(
  { directory, caller }: { readonly directory: Directory; readonly caller: Pick<Caller, "call"> },
  { sid, session }: Sender,
  said: AskDirectory | Publish,
): Promise<ConsumerDown> {
  const { ref, name } = said;
  const { role, socketId, decoyOf, endToEnd } = session;
  if (said.t === "publish" && (role === "member" || decoyOf !== null))
    throw new ProtocolError("out-of-order", "plaintext.t");
  if (endToEnd === "off") return { t: "failed", ref, code: "unsupported" };
  if (said.t === "directory") {
    const found = await directory.find(decoyOf ?? socketId, name);
    if (found === null) return { t: "failed", ref, code: "not-found" };
    const { history, prekey } = found;
    return { t: "entry", ref, name, history: [...history], ...(prekey === undefined ? {} : { prekey }) };
  }
  try {
    const code = await directory.publish(socketId, said, async (identity) => {
      await caller.call(recordIdentity, { socketId, by: sid, name, ...identity });
    });
    return code === null ? { t: "done", ref } : { t: "failed", ref, code };
  } catch (error) {
    // Not signed by whom it has to be, or by a clock that is wrong: nothing that asking again would change.
    if (error instanceof CryptoError || error instanceof ProtocolError) return { t: "failed", ref, code: "conflict" };
    // What cannot be recorded does not happen; it can be published again.
    if (error instanceof ServiceError) return { t: "failed", ref, code: "unavailable" };
    throw error;
  }
}

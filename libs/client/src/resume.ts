import { resumePskId } from "@portcullis/crypto";
import { type Accepted, closeCodes, ProtocolError, parseDenied } from "@portcullis/protocol";
import { type ApplicationKeys, type Channel, eraseKeys } from "./channel.ts";
import { errorOfClose, errorOfName, PortcullisError } from "./errors.ts";
import { createLink, type Link } from "./link.ts";
import { dial, open } from "./opening.ts";
import type { Settings } from "./options.ts";
import { type Receipt, receiptOf } from "./receipt.ts";
import type { Scope } from "./scope.ts";
import type { Wire } from "./wire.ts";

export interface Resumed {
  readonly link: Link;
  /** By which it goes on the next time. */
  readonly secret: Uint8Array;
  readonly edge: string;
  readonly receipt: Receipt | null;
}

/**
 * Takes the session to another connection. Nobody is asked anything; the server must be the same, and the session must be what it was.
 *
 * @throws {PortcullisError} with `sealed` where the server itself says that the session does not go on
 */
export async function resumeSession(parts: {
  readonly settings: Settings;
  /** As it was accepted first. */
  readonly accepted: Link["accepted"];
  readonly secret: Uint8Array;
  readonly fingerprint: string;
  /** Counter of the first message that may not have arrived. */
  readonly next: number;
  readonly scope: Scope;
}): Promise<Resumed> {
  const { settings, accepted, secret, fingerprint, next, scope } = parts;
  const { narrate } = settings;
  const wire = dial(settings, scope);
  try {
    const psk = { id: resumePskId(accepted.sid), secret };
    const opened = await open({ credentials: { psk, pin: fingerprint }, settings, wire, scope, goesOn: { next } });
    const { channel, server, idKey } = opened;
    try {
      const again = await readVerdict(wire, scope, channel);
      narrate("down", "accepted", { n: again.n, sid: again.sid, gates: again.gates.join(" ") });
      const keys: ApplicationKeys = await scope.race(channel.finish(again));
      const unusable = (error: unknown): never => {
        eraseKeys(keys);
        throw error;
      };
      if (!isSame(again, accepted)) unusable(new ProtocolError("out-of-order", "accepted"));
      const receipt = await scope.race(receiptOf(again, idKey)).catch(unusable);
      const link = createLink({ wire, accepted: again, keys, had: channel.had, clock: settings.clock });
      return { link, secret: keys.resume, edge: server.edge, receipt };
    } finally {
      channel.erase();
    }
  } catch (error) {
    // With 1000 we would give the session up.
    const isGivenUp = error instanceof PortcullisError && error.code === "cancelled";
    const { code, name } = closeCodes[isGivenUp ? "closed" : "unavailable"];
    wire.close(code, name);
    throw error;
  }
}

/** It goes on as what it was, or not at all. */
function isSame(again: Accepted, before: Accepted): boolean {
  return (
    again.next !== undefined &&
    again.sid === before.sid &&
    again.sealed === before.sealed &&
    again.endToEnd === before.endToEnd &&
    again.role === before.role &&
    again.mode === before.mode &&
    (again.member ?? null) === (before.member ?? null) &&
    again.expiresAt === before.expiresAt &&
    again.gates.join(" ") === before.gates.join(" ")
  );
}

async function readVerdict(wire: Wire, scope: Scope, channel: Channel): Promise<Accepted> {
  let retryAfterMs: number | null = null;
  for (;;) {
    const incoming = await scope.race(wire.next());
    if (incoming.kind === "closed") throw errorOfClose(incoming.code, retryAfterMs, true);
    // The text `denied` is anybody's word; the close that follows it says whether to try again.
    if (incoming.kind === "text") {
      retryAfterMs = parseDenied(incoming.text).retryAfterMs ?? null;
      continue;
    }
    const plaintext = await scope.race(channel.hear(incoming.bytes));
    if (plaintext === null) continue;
    if (plaintext.t === "accepted") return plaintext;
    if (plaintext.t === "denied" || plaintext.t === "goodbye")
      throw errorOfName(plaintext.code, plaintext.retryAfterMs ?? null, true);
    throw new ProtocolError("out-of-order", "t");
  }
}

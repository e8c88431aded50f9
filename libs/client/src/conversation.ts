import { type Accepted, ProtocolError, parseDenied } from "@portcullis/protocol";
import type { Channel } from "./channel.ts";
import type { Dialogue, Wish } from "./dialogue.ts";
import { blameApplication, errorOfClose, errorOfName, PortcullisError } from "./errors.ts";
import type { OfferedAnswer, Offers } from "./offers.ts";
import type { Settings } from "./options.ts";
import type { Known } from "./prompts/prompt.ts";
import type { Reply, Server } from "./question.ts";
import type { Scope } from "./scope.ts";
import type { Incoming, Wire } from "./wire.ts";

/** How long the close may take that a bare `denied` announces. */
const deniedGraceMs = 2_000;

/** Null: there are no more. */
type NextOffer =
  | { readonly kind: "offered"; readonly answers: OfferedAnswer[] | null }
  | { readonly kind: "given-up"; readonly error: unknown };

/**
 * Answers challenges until the verdict; until the first of them, goes on offering. Reads on while a person thinks: the verdict, or
 * another challenge, may come first.
 *
 * @param parts.offers null after a comeback: they were made, and the server knows of them.
 * @returns `accepted`, its F not yet compared.
 */
export async function converse(parts: {
  readonly channel: Channel;
  readonly server: Server & Known;
  readonly offers: Offers | null;
  readonly dialogue: Dialogue;
  readonly settings: Settings;
  readonly wire: Wire;
  readonly scope: Scope;
}): Promise<Accepted> {
  const { channel, server, offers, dialogue, settings, wire, scope } = parts;
  const { narrate } = settings;
  let offering: Promise<NextOffer> | null = offers === null ? null : nextOf(offers);
  let asked = false;
  /** Kept until it is looked at: it may come while something else is being said. */
  let incoming: Promise<Incoming> | null = null;
  let denied: { readonly retryAfterMs: number | null } | null = null;
  let waitNoLonger = () => {};

  try {
    for (;;) {
      // What a person wants to say belongs to a question, and is said when that question stands on this connection.
      const own = asked ? dialogue.next() : offering;
      incoming ??= wire.next();
      const event: Incoming | Wish | NextOffer = await scope.race(
        own === null ? incoming : Promise.race([incoming, own]),
      );
      if (event.kind === "binary" || event.kind === "text" || event.kind === "closed") incoming = null;
      switch (event.kind) {
        case "answered": {
          dialogue.said(event);
          const { cid, reply } = event;
          const { gate, at } = reply;
          const value = await scope.race(proven(reply, { th: channel.th, cid }));
          const plaintext =
            value === null
              ? ({ t: "start", cid, gate, at } as const)
              : ({ t: "answer", cid, gate, at, value } as const);
          wire.send(await scope.race(channel.say(plaintext)));
          narrate("up", plaintext.t, { gate, at });
          break;
        }
        case "resend":
          dialogue.said(event);
          wire.send(await scope.race(channel.say({ t: "resend", cid: event.cid })));
          narrate("up", "resend", {});
          break;
        case "offered": {
          offering = null;
          const { answers } = event;
          if (answers === null || offers === null) break;
          wire.send(await scope.race(channel.say({ t: "offer", answers }).catch(blameApplication)));
          narrate("up", "offer", { answers: answers.length });
          offering = nextOf(offers);
          break;
        }
        case "given-up":
          wire.send(await scope.race(channel.say({ t: "cancel", ...reasonOf(event.error) })));
          narrate("up", "cancel", {});
          throw event.error;
        case "closed":
          narrate("down", "close", { code: event.code });
          throw errorOfClose(event.code, denied?.retryAfterMs ?? null, true);
        case "text": {
          // Anybody's word: good for waiting longer, and the close that follows says the rest.
          if (denied !== null) throw new ProtocolError("out-of-order", "frame");
          const { code, retryAfterMs = null } = parseDenied(event.text);
          denied = { retryAfterMs };
          narrate("down", "denied", { code, sealed: false });
          waitNoLonger = scope.failAfter(deniedGraceMs, errorOfName(code, retryAfterMs, false));
          break;
        }
        case "binary": {
          const plaintext = await scope.race(channel.hear(event.bytes));
          if (plaintext === null) break;
          const place = { server, th: channel.th, isFirst: !asked };
          switch (plaintext.t) {
            case "challenge": {
              const { n, options, attemptsLeft, retry } = plaintext;
              const gates = options.map(({ gate }) => gate).join(" ");
              narrate("down", "challenge", { n, gates, attemptsLeft, retry });
              offers?.stop();
              offering = null;
              dialogue.challenge(plaintext, place);
              asked = true;
              break;
            }
            case "wait": {
              const { n, gate, status, attemptsLeft, retry } = plaintext;
              narrate("down", "wait", { n, gate, status, attemptsLeft, retry });
              dialogue.wait(plaintext, place);
              asked = true;
              break;
            }
            case "accepted":
              narrate("down", "accepted", { n: plaintext.n, sid: plaintext.sid, gates: plaintext.gates.join(" ") });
              return plaintext;
            case "denied":
            case "goodbye":
              narrate("down", plaintext.t, { code: plaintext.code, sealed: true });
              throw errorOfName(plaintext.code, plaintext.retryAfterMs ?? null, true);
            case "revoked":
              throw new ProtocolError("out-of-order", "t");
          }
        }
      }
    }
  } finally {
    waitNoLonger();
  }
}

/** What is sent for an answer: a proof holds on the connection where it is sent, and on no other. */
export async function proven({ value, prove }: Reply, where: { th: Uint8Array; cid: string }): Promise<string | null> {
  return value === null || prove === undefined ? value : prove(where);
}

export function reasonOf(error: unknown): { why?: "not-recognised" } {
  return error instanceof PortcullisError && error.code === "not-recognised" ? { why: error.code } : {};
}

function nextOf(offers: Offers): Promise<NextOffer> {
  return offers.next().then(
    (answers): NextOffer => ({ kind: "offered", answers }),
    (error: unknown): NextOffer => ({ kind: "given-up", error }),
  );
}

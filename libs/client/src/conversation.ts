import { type Accepted, type Challenge, type OfferedAnswer, ProtocolError, parseDenied } from "@portcullis/protocol";
import type { Channel } from "./channel.ts";
import { blameApplication, errorOfClose, errorOfName, PortcullisError } from "./errors.ts";
import type { Offers } from "./offers.ts";
import type { Settings } from "./options.ts";
import { askApplication, type Reply, type Server } from "./question.ts";
import type { Scope } from "./scope.ts";
import type { Incoming, Wire } from "./wire.ts";

/** How long the close may take that a bare `denied` announces. */
const deniedGraceMs = 2_000;

type GivenUp = { readonly kind: "given-up"; readonly error: unknown };
type Outcome = { readonly kind: "answered"; readonly reply: Reply } | GivenUp;
/** Null: there are no more. */
type NextOffer = { readonly kind: "offered"; readonly answers: OfferedAnswer[] | null } | GivenUp;

interface Asking {
  readonly cid: string;
  readonly outcome: Promise<Outcome>;
  readonly stop: AbortController;
}

/**
 * Answers challenges until the verdict; until the first of them, goes on offering. Reads on while a person thinks: the verdict, or
 * another challenge, may come first.
 *
 * @returns `accepted`, its F not yet compared.
 */
export async function converse(parts: {
  readonly channel: Channel;
  readonly server: Server;
  readonly offers: Offers;
  readonly settings: Settings;
  readonly wire: Wire;
  readonly scope: Scope;
}): Promise<Accepted> {
  const { channel, server, offers, settings, wire, scope } = parts;
  const { narrate } = settings;
  let asking: Asking | null = null;
  let offering: Promise<NextOffer> | null = nextOf(offers);
  let denied: { readonly retryAfterMs: number | null } | null = null;

  try {
    for (;;) {
      const own: Promise<Outcome | NextOffer> | null = asking?.outcome ?? offering;
      const event: Incoming | Outcome | NextOffer = await scope.race(
        own === null ? wire.next() : Promise.race([wire.next(), own]),
      );
      switch (event.kind) {
        case "answered": {
          const cid = asking?.cid ?? "";
          asking = null;
          const { gate, at, value } = event.reply;
          wire.send(await scope.race(channel.say({ t: "answer", cid, gate, at, value })));
          narrate("up", "answer", { gate, at });
          break;
        }
        case "offered": {
          offering = null;
          const { answers } = event;
          if (answers === null) break;
          wire.send(await scope.race(channel.say({ t: "offer", answers }).catch(blameApplication)));
          narrate("up", "offer", { answers: answers.length });
          offering = nextOf(offers);
          break;
        }
        case "given-up":
          asking = null;
          wire.send(await scope.race(channel.say({ t: "cancel" })));
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
          scope.failAfter(deniedGraceMs, errorOfName(code, retryAfterMs, false));
          break;
        }
        case "binary": {
          const plaintext = await scope.race(channel.hear(event.bytes));
          if (plaintext === null) break;
          switch (plaintext.t) {
            case "challenge": {
              const { n = 0, options, attemptsLeft, retry } = plaintext;
              narrate("down", "challenge", {
                n,
                gates: options.map(({ gate }) => gate).join(" "),
                attemptsLeft,
                retry,
              });
              offers.stop();
              offering = null;
              asking?.stop.abort();
              asking = ask(plaintext, server, settings);
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
    asking?.stop.abort();
  }
}

function nextOf(offers: Offers): Promise<NextOffer> {
  return offers.next().then(
    (answers): NextOffer => ({ kind: "offered", answers }),
    (error: unknown): NextOffer => ({ kind: "given-up", error }),
  );
}

function ask(challenge: Challenge, server: Server, { options, clock }: Settings): Asking {
  const stop = new AbortController();
  const { answers = {}, onChallenge } = options;
  const answering = { answers, onChallenge, server, nowMs: clock(), signal: stop.signal };
  const outcome = askApplication(challenge, answering).then(
    (reply): Outcome =>
      reply === null ? { kind: "given-up", error: new PortcullisError("cancelled") } : { kind: "answered", reply },
    (error: unknown): Outcome => ({ kind: "given-up", error }),
  );
  return { cid: challenge.cid, outcome, stop };
}

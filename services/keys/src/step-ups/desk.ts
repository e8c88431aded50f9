import {
  askStepUp,
  type LiveSessionView,
  ServiceError,
  type StepUpClock,
  type StepUpSaid,
  takeStepUp,
} from "@portcullis/contracts";
import {
  type ConsumerDown,
  closeCodes,
  encodeControl,
  encodePlaintext,
  isSealedBody,
  type MessageUp,
  ProtocolError,
  recordTypes,
  type StepUpAction,
} from "@portcullis/protocol";
import { asked } from "../handshake/asked.ts";
import type { MessageContext } from "../messages/context.ts";
import { everybody, placeMessage, receiverOf, type Sender } from "../messages/place.ts";
import { createReplies } from "../messages/replies.ts";

/**
 * Where what a client sends is put while its session may be asked for more. A message goes to its place where nothing is due and its class, if it
 * says one, is covered; otherwise it waits, and all that come behind it wait behind it. What says so is the session's entry, read anew
 * before each decision that lets something go: only `identity` writes it, and only behind a step-up that was passed.
 */
export interface Desk {
  /** @returns false: the session is over. @throws {ProtocolError} */
  message(message: MessageUp): Promise<boolean>;
  /** To what a consumer asked. */
  answer(said: ConsumerDown): void;
  /** An answer and the like. @param counter of its record. @throws {ProtocolError} */
  action(action: StepUpAction, counter: number): Promise<void>;
  /** What stands. */
  ask(): Promise<void>;
  /** Places what waits and may go; asks for what the next one waits for. @returns false: the session is over */
  settle(): Promise<boolean>;
  /** For the client alone: all that there is to say, once, at the end. */
  seal(): Promise<Uint8Array[]>;
  readonly close: number | null;
  /** As `identity` last said; null: it was not asked. */
  readonly clock: StepUpClock | null;
}

/** How often somebody else may be looking at an answer, or have just passed, before the client is left to the next change. */
const silencesMax = 3;

export function createDesk(context: MessageContext, from: Sender): Desk {
  const { caller, live, order, parked, writer, clock, isKeyLive } = context;
  const { sid, session } = from;
  const { hid, during, expiresAtMs, maxBytes } = session;
  const frames: Uint8Array[] = [];
  const sealOne = (plaintext: Uint8Array) => writer.seal(recordTypes.applicationDown, session.server, plaintext);
  const replies = createReplies(sealOne);
  let close: number | null = null;
  let told: StepUpClock | null = null;
  /** Something waits, as far as this desk knows. */
  let waits: boolean | null = null;

  async function message(one: MessageUp): Promise<boolean> {
    const { class: kind } = one.head;
    // Before it waits: what may not be said at all is refused at once.
    const receiver = receiverOf(session, one.head);
    if (session.endToEnd === "required" && session.role === "member" && !isSealedBody(one.body))
      throw new ProtocolError("malformed", "message.body");
    if (!during) {
      if (kind !== undefined) throw new ProtocolError("out-of-order", "message.head");
      return placeMessage(context, from, one, replies);
    }
    // For each one anew: where handing one over takes long, a step-up may be demanded before the next of the same batch.
    const view = await live.view(sid);
    if (view === null) return false;
    // A class that nothing is asked for proves nothing, and whoever hears it must be able to rely on what it says.
    if (kind !== undefined && !Object.hasOwn(view.classes, kind))
      throw new ProtocolError("out-of-order", "message.head");
    if (one.body.length > maxBytes) throw new ProtocolError("too-large", "message.body");
    waits ??= (await parked.get(sid)).length > 0;
    if (!waits && mayGo(view, one)) return placeMessage(context, from, one, replies);
    const { counter: lastCounter } = await order.of(sid);
    // It was let go before, and whoever sent it may not have heard what became of it. Its class is the client's word, and nothing covers it now.
    if (receiver !== everybody && one.counter <= lastCounter)
      return placeMessage(context, from, { ...one, head: {} }, replies);
    await parked.add(sid, one, { lastCounter, untilMs: expiresAtMs });
    waits = true;
    return true;
  }

  function mayGo({ holdAtMs, classes }: LiveSessionView, { head: { class: kind } }: MessageUp): boolean {
    const now = clock();
    if (holdAtMs !== null && now >= holdAtMs) return false;
    return kind === undefined || (Object.hasOwn(classes, kind) && now < (classes[kind] ?? 0));
  }

  async function asking() {
    return { sid, hid, transcript: session.stepUp, keyLive: await isKeyLive(session.keyId) };
  }

  async function action(one: StepUpAction, counter: number): Promise<void> {
    if (!during) throw new ProtocolError("out-of-order", "t");
    const body = { ...(await asking()), n: counter + 1, action: actionOf(one) };
    try {
      await hear(await caller.call(takeStepUp, body));
    } catch (error) {
      if (error instanceof ServiceError && error.code === "conflict") throw new ProtocolError("out-of-order", "record");
      throw error;
    }
  }

  async function ask(kind: string | null = null): Promise<StepUpSaid> {
    const said = await caller.call(askStepUp, { ...(await asking()), class: kind });
    await hear(said);
    return said;
  }

  async function hear({ outcome, n, clock: newest }: StepUpSaid): Promise<void> {
    told = newest;
    switch (outcome.say) {
      case "challenge":
      case "wait":
        frames.push(await sealOne(encodeControl(asked(clock, n, outcome))));
        break;
      case "stepped-up": {
        const until = outcome.untilMs === null ? {} : { until: outcome.untilMs };
        frames.push(await sealOne(encodeControl({ t: "stepped-up", n, gates: outcome.gates, ...until })));
        break;
      }
      case "denied":
        // `identity` has put the session out and has said so by its own way; whichever comes first.
        frames.push(await sealOne(encodePlaintext({ t: "revoked", what: "step-up" })));
        close = closeCodes["session-expired"].code;
        break;
      default:
    }
  }

  async function settle(): Promise<boolean> {
    if (!during) return true;
    let silences = 0;
    while (close === null) {
      const [first] = await parked.get(sid);
      if (first === undefined) return true;
      const now = await live.view(sid);
      if (now === null) return false;
      if (mayGo(now, first)) {
        if (!(await placeMessage(context, from, first, replies))) return false;
        await parked.drop(sid, first.counter, expiresAtMs);
        continue;
      }
      const { outcome } = await ask(first.head.class ?? null);
      if (outcome.say !== "nothing" && outcome.say !== "stepped-up") return true;
      silences += 1;
      if (silences >= silencesMax) return true;
    }
    return true;
  }

  return {
    message,
    answer: replies.answer,
    action,
    async ask() {
      await ask();
    },
    settle,
    seal: async () => [...frames, ...(await replies.seal())],
    get close() {
      return close;
    },
    get clock() {
      return told;
    },
  };
}

function actionOf(action: StepUpAction) {
  switch (action.t) {
    case "answer": {
      const { cid, gate, value, at } = action;
      return { do: "answer" as const, cid, answer: { gate, value, at: at ?? null } };
    }
    case "start":
      return { do: "start" as const, cid: action.cid, gate: action.gate, at: action.at ?? null };
    case "resend":
      return { do: "resend" as const, cid: action.cid };
    case "cancel":
      return { do: "cancel" as const, ...(action.why === undefined ? {} : { why: action.why }) };
  }
}

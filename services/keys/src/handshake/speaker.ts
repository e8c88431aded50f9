import { type Admitted, type Outcome, ServiceError, type Step } from "@portcullis/contracts";
import { advanceChain, applicationSecrets, finish, handshakeKeys, type RecordWriter } from "@portcullis/crypto";
import { wordsOf } from "@portcullis/crypto/words";
import {
  base64url,
  closeCodes,
  encodeDenied,
  encodePlaintext,
  recordTypes,
  type ServerPlaintext,
  utf8,
} from "@portcullis/protocol";
import type { Clock } from "@portcullis/runtime";
import type { RoomPresence } from "../decoy/presence.ts";
import { type Groups, grantOf } from "../groups/groups.ts";
import type { IdentitySource } from "../identity.ts";
import type { Order } from "../messages/order.ts";
import type { LiveSessions } from "../sessions/live-sessions.ts";
import type { SessionSecrets, StartingSession } from "../sessions/session-secrets.ts";
import { asked } from "./asked.ts";
import type { Channel } from "./channel.ts";
import { receiptFor } from "./receipt.ts";

export interface SpeakerContext {
  readonly writer: RecordWriter;
  readonly sessions: SessionSecrets;
  readonly clock: Clock;
  readonly identities: IdentitySource;
  /** Whether the app key still lives. True in Base mode. */
  readonly isKeyLive: (keyId: string | null) => Promise<boolean>;
  /** The same, and notes that it was used; asked after the session was registered. */
  readonly useKey: (keyId: string | null) => Promise<boolean>;
  readonly groups: Groups;
  readonly live: LiveSessions;
  readonly order: Order;
  /** The same parts of the decoys' world. */
  readonly decoys: Pick<SpeakerContext, "sessions" | "groups" | "live" | "order"> & Pick<RoomPresence, "entered">;
  /** A session that was registered and must not be. */
  readonly abandon: (sid: string, socketId: string) => void;
}

/** What a connection gets that has proven nothing: the same bytes for every cause. */
export const bareDenial: Step = Object.freeze({
  frames: [{ kind: "text" as const, data: utf8(encodeDenied({ code: "denied" })), n: 0 }],
  admitted: null,
  close: closeCodes.denied.code,
  deadlineMs: null,
});

/**
 * Turns what identity decided into sealed frames for the connection `hid`, and moves the channel on. `channel` is what to store; secrets in it are erased
 * after a verdict. Once it is stored, and only then, `putSession` has to be called: of two that say the same at once, one counts.
 */
export async function say(
  context: SpeakerContext,
  hid: string,
  channel: Channel,
  outcome: Outcome,
): Promise<{ step: Step; channel: Channel }> {
  switch (outcome.say) {
    case "challenge":
    case "wait": {
      const said = await seal(context, channel, asked(context.clock, channel.serverCount + 1, outcome));
      return {
        channel: said.channel,
        step: { frames: [said.frame], admitted: null, close: null, deadlineMs: outcome.deadlineMs },
      };
    }
    case "silent":
      return {
        channel: erased(channel),
        step: { frames: [], admitted: null, close: null, deadlineMs: outcome.deadlineMs, silent: true },
      };
    case "nothing":
      return { channel, step: { frames: [], admitted: null, close: null, deadlineMs: outcome.deadlineMs } };
    case "denied":
      return outcome.sealed
        ? deny(context, channel, outcome.retryAfterMs, outcome.anew === true ? "deadline" : "denied")
        : { step: bareDenial, channel: erased(channel) };
    case "accepted":
      return accept(context, hid, channel, outcome);
    case "stepped-up":
      // There is no session yet.
      throw new ServiceError("internal");
  }
}

async function deny(
  context: SpeakerContext,
  channel: Channel,
  retryAfterMs: number | null,
  code: "denied" | "deadline" = "denied",
): Promise<{ step: Step; channel: Channel }> {
  const hint = retryAfterMs === null ? {} : { retryAfterMs };
  const said = await seal(context, channel, { n: channel.serverCount + 1, t: "denied", code, ...hint });
  return {
    step: { frames: [said.frame], admitted: null, close: closeCodes[code].code, deadlineMs: null },
    channel: erased(said.channel),
  };
}

async function accept(
  context: SpeakerContext,
  hid: string,
  channel: Channel,
  outcome: Extract<Outcome, { say: "accepted" }>,
): Promise<{ step: Step; channel: Channel }> {
  const { gates, assurance, policyHash, history } = outcome;
  const { sid, socketId, member, memberProven, role, mode, expiresAtMs, maxBytes, perSecond } = outcome.admitted;
  const { sealed, endToEnd, placed, relayed, resumeMs } = outcome.admitted;
  const { resumes } = channel;
  const decoyOf = outcome.decoy?.of ?? null;
  const { groups, order, live } = decoyOf === null ? context : context.decoys;
  const useKey = decoyOf === null ? context.useKey : context.isKeyLive;
  // Who goes on has what was said before; who comes is not to open it, recorded on the way.
  const enter = resumes === null ? groups.toEnter : groups.current;
  const epoch = sealed ? await enter(socketId) : null;
  const place = placed ? await order.last(socketId) : 0;
  const next =
    relayed && resumes !== null ? nextOf(outcome.admitted, (await order.of(sid)).counter) : outcome.admitted.next;
  // The session is registered by now; a revocation of the key either found it there or is found here. And who was put out meanwhile
  // does not get the epoch that came with that.
  if (!(await useKey(channel.keyId)) || !(await live.is(sid))) {
    context.abandon(sid, socketId);
    return deny(context, channel, null);
  }
  const F = await finish(channel);
  const secrets = await applicationSecrets(channel.prk, F);
  const said = await seal(context, channel, {
    n: channel.serverCount + 1,
    t: "accepted",
    nC: channel.clientCount,
    F: base64url.encode(F),
    sid,
    member,
    ...(role === "member" ? {} : { role }),
    ...(mode === "broadcast" ? {} : { mode }),
    assurance,
    gates,
    policyHash: base64url.encode(policyHash),
    sealed,
    ...(endToEnd === "off" ? {} : { endToEnd }),
    expiresAt: expiresAtMs,
    limits: { maxBytes, perSecond },
    ...(epoch === null ? {} : { group: grantOf(epoch) }),
    ...(placed ? { place } : {}),
    ...(resumeMs === 0 ? {} : { resumeMs }),
    ...(resumes === null ? {} : { next }),
    ...(await receiptFor(context, channel.idKey, { finish: base64url.encode(F), sid, member, policyHash })),
  });
  const { client, server, resume, stepUp } = secrets;
  const words = wordsOf(secrets.words);
  secrets.words.fill(0);
  const session: StartingSession = {
    sid,
    replaces: resumes?.hid ?? null,
    hid,
    socketId,
    decoyOf,
    imitated: outcome.imitated === true,
    member: memberProven ? member : null,
    keyId: channel.keyId,
    role,
    mode,
    client,
    server,
    resume: resumeMs === 0 ? [] : resumes === null ? [resume] : [resume, resumes.secret],
    stepUp,
    words,
    during: outcome.admitted.stepUp !== null,
    maxBytes,
    sealed,
    endToEnd,
    placed,
    history,
    epoch: epoch?.epoch ?? null,
    step: epoch?.step ?? 0,
    since: resumes?.since ?? place,
    expiresAtMs,
  };
  return {
    step: {
      frames: [said.frame],
      admitted: { ...outcome.admitted, epoch: epoch?.epoch ?? null, next },
      close: null,
      deadlineMs: null,
    },
    channel: { ...erased(said.channel), resumes: null, session },
  };
}

/**
 * What is said to all is said again from the last one on. What has become of messages for one was an answer that may have gone with the connection:
 * the client says of which it has none, and asks again.
 */
function nextOf({ role, mode, next }: Admitted, lastCounter: number): number {
  const saysToOne = role !== "member" || mode === "consumer";
  return Math.max(0, saysToOne ? Math.min(next, lastCounter) : lastCounter);
}

/**
 * Idempotent. From then on the session can be spoken to, and speak.
 *
 * @throws {ServiceError} unavailable: another connection took it over meanwhile, and the client has to come back if it wants to be the one
 */
export async function putSession(context: SpeakerContext, { session }: Channel): Promise<void> {
  if (session === null) return;
  const { sessions, live } = session.decoyOf === null ? context : context.decoys;
  if (!(await sessions.put(session))) throw new ServiceError("unavailable");
  // Who was put out meanwhile has had their last word, and its secrets were erased with that.
  if (!(await live.is(session.sid))) await sessions.erase(session.sid);
  else if (session.decoyOf !== null) await context.decoys.entered(session);
}

async function seal(context: SpeakerContext, channel: Channel, plaintext: ServerPlaintext) {
  const bytes = encodePlaintext(plaintext);
  const { server } = await handshakeKeys(channel.prk);
  const data = await context.writer.seal(recordTypes.handshakeDown, server, bytes);
  return {
    frame: { kind: "binary" as const, data, n: channel.serverCount + 1 },
    channel: {
      ...channel,
      serverCount: channel.serverCount + 1,
      serverChain: await advanceChain(channel.serverChain, bytes),
    },
  };
}

function erased(channel: Channel): Channel {
  return { ...channel, prk: new Uint8Array(), done: true };
}

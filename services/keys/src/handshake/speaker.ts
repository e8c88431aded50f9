import type { Outcome, Step } from "@portcullis/contracts";
import { advanceChain, applicationSecrets, finish, handshakeKeys, type RecordWriter } from "@portcullis/crypto";
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
import type { SessionSecrets } from "../sessions/session-secrets.ts";
import type { Channel } from "./channel.ts";

export interface SpeakerContext {
  readonly writer: RecordWriter;
  readonly sessions: SessionSecrets;
  readonly clock: Clock;
  /** Whether the app key still lives. True in Base mode. */
  readonly isKeyLive: (keyId: string | null) => Promise<boolean>;
  /** The same, and notes that it was used; asked after the session was registered. */
  readonly useKey: (keyId: string | null) => Promise<boolean>;
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
 * Turns what identity decided into sealed frames, and moves the channel on. `channel` is what to store; secrets in it are erased
 * after a verdict. Once it is stored, and only then, `putSession` has to be called: of two that say the same at once, one counts.
 */
export async function say(
  context: SpeakerContext,
  channel: Channel,
  outcome: Outcome,
): Promise<{ step: Step; channel: Channel }> {
  switch (outcome.say) {
    case "challenge": {
      const { cid, attemptsLeft, retry } = outcome;
      const options = outcome.options.map(({ at, gate, prompt }) =>
        prompt === null ? { at, gate } : { at, gate, prompt },
      );
      const said = await seal(context, channel, {
        n: channel.serverCount + 1,
        t: "challenge",
        cid,
        options,
        attemptsLeft,
        answerMs: leftMs(context, outcome.answerByMs),
        retry,
      });
      return {
        channel: said.channel,
        step: { frames: [said.frame], admitted: null, close: null, deadlineMs: outcome.deadlineMs },
      };
    }
    case "wait": {
      const { cid, at, gate, by, to, number, status, attemptsLeft, retry, resendAtMs } = outcome;
      const said = await seal(context, channel, {
        n: channel.serverCount + 1,
        t: "wait",
        cid,
        at,
        gate,
        prompt: number === null ? { by, to } : { by, to, number },
        status,
        resendMs: resendAtMs === null ? null : Math.max(0, resendAtMs - context.clock()),
        attemptsLeft,
        answerMs: leftMs(context, outcome.answerByMs),
        retry,
      });
      return {
        channel: said.channel,
        step: { frames: [said.frame], admitted: null, close: null, deadlineMs: outcome.deadlineMs },
      };
    }
    case "nothing":
      return { channel, step: { frames: [], admitted: null, close: null, deadlineMs: outcome.deadlineMs } };
    case "denied":
      return outcome.sealed
        ? deny(context, channel, outcome.retryAfterMs)
        : { step: bareDenial, channel: erased(channel) };
    case "accepted":
      return accept(context, channel, outcome);
  }
}

async function deny(
  context: SpeakerContext,
  channel: Channel,
  retryAfterMs: number | null,
): Promise<{ step: Step; channel: Channel }> {
  const hint = retryAfterMs === null ? {} : { retryAfterMs };
  const said = await seal(context, channel, { n: channel.serverCount + 1, t: "denied", code: "denied", ...hint });
  return {
    step: { frames: [said.frame], admitted: null, close: closeCodes.denied.code, deadlineMs: null },
    channel: erased(said.channel),
  };
}

async function accept(
  context: SpeakerContext,
  channel: Channel,
  { admitted, gates, assurance, policyHash }: Extract<Outcome, { say: "accepted" }>,
): Promise<{ step: Step; channel: Channel }> {
  // The session is registered by now; a revocation of the key either found it there or is found here.
  if (!(await context.useKey(channel.keyId))) {
    context.abandon(admitted.sid, admitted.socketId);
    return deny(context, channel, null);
  }
  const F = await finish(channel);
  const secrets = await applicationSecrets(channel.prk, F);
  const said = await seal(context, channel, {
    n: channel.serverCount + 1,
    t: "accepted",
    nC: channel.clientCount,
    F: base64url.encode(F),
    sid: admitted.sid,
    member: admitted.member,
    assurance,
    gates,
    policyHash: base64url.encode(policyHash),
    sealed: false,
    expiresAt: admitted.expiresAtMs,
    limits: { maxBytes: admitted.maxBytes, perSecond: admitted.perSecond },
  });
  const { client, server } = secrets;
  for (const unused of [secrets.resume, secrets.words]) unused.fill(0);
  return {
    step: { frames: [said.frame], admitted, close: null, deadlineMs: null },
    channel: {
      ...erased(said.channel),
      session: { sid: admitted.sid, client, server, expiresAtMs: admitted.expiresAtMs },
    },
  };
}

/** Idempotent. From then on the session can be spoken to. */
export async function putSession({ sessions }: SpeakerContext, { session }: Channel): Promise<void> {
  if (session !== null) await sessions.put(session.sid, session, session.expiresAtMs);
}

function leftMs({ clock }: SpeakerContext, byMs: number): number {
  return Math.max(0, byMs - clock());
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

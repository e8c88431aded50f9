import { createHmac } from "node:crypto";
import type { Caller } from "@portcullis/bus";
import {
  type ConnectionFacts,
  identityOpen,
  type KeyRole,
  type Outcome,
  ServiceError,
  type Step,
} from "@portcullis/contracts";
import { chainStart, type HandshakeSecrets, helloHash, openBox, parkedPsk } from "@portcullis/crypto";
import {
  closeCodes,
  encodeDenied,
  lp,
  type Open,
  type OpenPayload,
  ProtocolError,
  parseOpen,
  parseOpenPayload,
  pskOf,
  utf8,
} from "@portcullis/protocol";
import { type Logger, type Vault, VaultShutError } from "@portcullis/runtime";
import { type AppKeyCollection, decoyKeyId, openPsk, readNobodysKey } from "../app-keys/store.ts";
import type { Bundles, LiveBundle } from "../bundles/bundles.ts";
import type { StoredSession } from "../sessions/session-secrets.ts";
import { type Channel, type ChannelStore, channelTtlMs, frameHash, restoreStep, storeStep } from "./channel.ts";
import type { Schedule } from "./schedule.ts";
import { bareDenial, putSession, type SpeakerContext, say } from "./speaker.ts";

export interface OpenContext extends SpeakerContext {
  readonly bundles: Bundles;
  readonly appKeys: AppKeyCollection;
  readonly channels: ChannelStore;
  readonly vault: Vault;
  readonly decoyKey: Uint8Array;
  /** A sealed PSK of nobody, opened where there is none to open. */
  readonly decoyPsk: () => string;
  /** When those are answered who have proven nothing. */
  readonly denials: Schedule;
  readonly caller: Caller;
  readonly log: Pick<Logger, "error">;
}

export interface OpenRequest {
  readonly kid: string;
  readonly hid: string;
  readonly nonce: Uint8Array;
  readonly open: Uint8Array;
  readonly connection: ConnectionFacts;
}

const staleBundle: Step = Object.freeze({
  frames: [{ kind: "text" as const, data: utf8(encodeDenied({ code: "expired-bundle" })), n: 0 }],
  admitted: null,
  close: closeCodes["expired-bundle"].code,
  deadlineMs: null,
});

export function closed(code: number): Step {
  return { frames: [], admitted: null, close: code, deadlineMs: null };
}

/**
 * Opens the box: under the right PSK that is the proof of the app key. A key that does not exist, is revoked or is another
 * socket's goes the same way with a made-up PSK, and identity is asked in every case, so that none of them can be told apart.
 *
 * The same opening repeated by its edge, because an answer was lost, gets the stored step; where the first attempt failed
 * half-way it is finished. Another one under the same handshake id is refused by identity: what somebody proved on a
 * connection is not for whoever else may speak on it.
 */
export async function openHandshake(context: OpenContext, request: OpenRequest): Promise<Step> {
  const departure = context.denials.arrive();
  const step = await judge(context, request);
  if (step === bareDenial) await departure();
  return step;
}

async function judge(context: OpenContext, request: OpenRequest): Promise<Step> {
  const { hid, connection } = request;
  const bundle = context.bundles.live(request.kid);
  if (bundle === null) return staleBundle;
  let open: Open;
  try {
    open = parseOpen(new TextDecoder("utf-8", { fatal: true }).decode(request.open));
  } catch (error) {
    return closed(error instanceof ProtocolError ? error.closeCode : closeCodes.malformed.code);
  }
  const opening = frameHash(request.open);
  if (!bundle.claim(open.enc, `${hid} ${opening}`)) return bareDenial;

  const found = await findPsk(context, open.psk, connection);
  const opened = await tryOpen(bundle, request, open, found.psks);
  for (const psk of found.psks) psk?.fill(0);
  const { parked } = found;
  const session = opened === null ? null : found.session;
  const key = opened === null ? null : found.key;
  try {
    const outcome = await context.caller.call(identityOpen, {
      hid,
      opening,
      connection,
      opened: opened !== null,
      suite: open.suite,
      claimedId: opened?.payload.dst.id ?? null,
      key,
      parked: opened === null ? null : (parked?.handshake ?? null),
      resumed: session === null ? null : { sid: session.sid, next: opened?.payload.resume?.next ?? 0 },
      transcript: opened?.handshake.th ?? new Uint8Array(32),
      answers: (opened?.payload.answers ?? []).map(({ gate, value, at }) => ({ gate, value, at: at ?? null })),
      parameters: opened?.payload.parameters ?? {},
      ticket: opened?.payload.ticket ?? null,
    });
    // Whoever is turned away opened a box or did not: neither by a word nor by a write does it show which.
    if (opened === null || isBare(outcome)) return bareDenial;
    const keyId = parked?.keyId ?? session?.stored.keyId ?? key?.keyId ?? null;
    const resumes =
      session === null
        ? null
        : { sid: session.sid, hid: session.stored.hid, secret: opened.psk, since: session.stored.since };
    const beginning = { hid, opening, keyId, idKey: bundle.idKey, handshake: parked?.handshake ?? hid, resumes };
    return await begin(context, beginning, opened.handshake, outcome);
  } finally {
    opened?.handshake.prk.fill(0);
  }
}

function isBare(outcome: Outcome): boolean {
  return outcome.say === "denied" && !outcome.sealed;
}

interface Beginning {
  readonly hid: string;
  readonly opening: string;
  readonly keyId: string | null;
  readonly idKey: Uint8Array;
  /** The handshake that begins or goes on. */
  readonly handshake: string;
  readonly resumes: Channel["resumes"];
}

/** Says what identity decided, and keeps the channel for what comes next. */
async function begin(
  context: OpenContext,
  { hid, opening, keyId, idKey, handshake, resumes }: Beginning,
  { th, prk }: HandshakeSecrets,
  outcome: Outcome,
): Promise<Step> {
  const start: Channel = {
    handshake,
    th,
    prk,
    park: await parkedPsk(prk),
    keyId,
    idKey,
    clientCount: 0,
    clientChain: chainStart(),
    serverCount: 0,
    serverChain: chainStart(),
    done: false,
    lastFrameHash: opening,
    lastStep: "",
    pushes: 0,
    lastPush: "",
    pushed: [],
    session: null,
    resumes,
  };
  const { step, channel } = await say(context, hid, start, outcome);
  const stored = { ...channel, lastStep: storeStep(step) };
  if (await context.channels.create(hid, stored, channelTtlMs(step, context.clock()))) {
    await putSession(context, stored);
    return step;
  }
  // What was sealed here is thrown away: the client may have the stored bytes already.
  const found = await context.channels.get(hid);
  if (found?.channel.lastFrameHash !== opening) throw new ServiceError("conflict");
  await putSession(context, found.channel);
  return restoreStep(found.channel.lastStep);
}

interface FoundKey {
  readonly socketId: string;
  readonly role: KeyRole;
  readonly canary?: true;
}

interface FoundPsk {
  /** Any of them opens the box; null in Base mode. */
  readonly psks: readonly (Uint8Array | null)[];
  readonly key: ({ readonly keyId: string } & FoundKey) | null;
  /** Where the handshake is that goes on. */
  readonly parked: Channel | null;
  /** Likewise the session. */
  readonly session: { readonly sid: string; readonly stored: StoredSession } | null;
}

async function findPsk(context: OpenContext, pskId: string, connection: ConnectionFacts): Promise<FoundPsk> {
  const named = pskOf(pskId);
  if (named?.of === "handshake") {
    const parked = await findParked(context, named.id);
    const { psk: dummy } = await findKey(context, null, connection);
    return { psks: [parked?.park ?? dummy], key: null, parked, session: null };
  }
  if (named?.of === "session") {
    const stored = await findSession(context, named.id);
    const { psk: dummy } = await findKey(context, null, connection);
    const session = stored === null ? null : { sid: named.id, stored };
    return { psks: stored?.resume ?? [dummy], key: null, parked: null, session };
  }
  const { psk, of } = await findKey(context, named?.id ?? null, connection);
  const key = named === null || of === null ? null : { keyId: named.id, ...of };
  return { psks: [named === null ? null : psk], key, parked: null, session: null };
}

/** Null also where the app key was revoked since: who comes back gets no further than who stayed. */
async function findParked(context: OpenContext, hid: string): Promise<Channel | null> {
  const found = await context.channels.get(hid);
  if (found === null || !(await context.isKeyLive(found.channel.keyId))) return null;
  return found.channel;
}

/** Likewise. */
async function findSession(context: OpenContext, sid: string): Promise<StoredSession | null> {
  const found = (await context.sessions.get(sid)) ?? (await context.decoys.sessions.get(sid));
  return found !== null && found.resume.length > 0 && (await context.isKeyLive(found.keyId)) ? found : null;
}

/** The same look-ups, and as much to read and to open, for a key that is not there. */
async function findKey(
  context: OpenContext,
  keyId: string | null,
  { label, path }: ConnectionFacts,
): Promise<{ psk: Uint8Array; of: FoundKey | null }> {
  const stored = await context.appKeys.get(keyId ?? "none");
  if (stored === null) readNobodysKey();
  const madeUp = createHmac("sha256", context.decoyKey);
  for (const part of [label, path, keyId ?? ""]) madeUp.update(lp(utf8(part)));
  const dummy = new Uint8Array(madeUp.digest());
  const isLive = keyId !== null && stored !== null && stored.body.revokedAtMs === null;
  try {
    const psk = isLive
      ? openPsk(context.vault, keyId, stored.body.pskSealed)
      : openPsk(context.vault, decoyKeyId, context.decoyPsk());
    if (!isLive) return { psk: dummy, of: null };
    const { socketId, role, canary } = stored.body;
    return { psk, of: { socketId, role, ...(canary ? { canary } : {}) } };
  } catch (error) {
    if (error instanceof VaultShutError) throw error;
    // Altered in the store, or of a lost master key: for the operator; outside it is a key like any that does not fit.
    context.log.error("an app key's secret does not open", { keyId }, error);
    return { psk: dummy, of: null };
  }
}

/** Null for everything that is wrong with it, including a destination that is not the one the edge reports. */
async function tryOpen(
  bundle: LiveBundle,
  { hid, nonce, connection }: OpenRequest,
  open: Open,
  psks: readonly (Uint8Array | null)[],
): Promise<{ payload: OpenPayload; handshake: HandshakeSecrets; psk: Uint8Array } | null> {
  const privateKey = bundle.privateKeys.get(open.suite);
  if (privateKey === undefined) return null;
  const h0 = await helloHash({ bundle: bundle.bundle, sig: bundle.signature, hid, nonce });
  for (const psk of psks) {
    try {
      const { payload: bytes, handshake } = await openBox({ h0, privateKey, open, psk });
      const payload = parseOpenPayload(bytes);
      const { dst } = payload;
      const isHere = dst.label === connection.label && dst.path === connection.path && dst.query === connection.query;
      return isHere ? { payload, handshake, psk: psk?.slice() ?? new Uint8Array() } : null;
    } catch {
      // Perhaps under the other one.
    }
  }
  return null;
}

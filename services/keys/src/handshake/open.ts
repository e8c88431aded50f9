import { createHmac } from "node:crypto";
import type { Caller } from "@portcullis/bus";
import { type ConnectionFacts, identityOpen, type Outcome, ServiceError, type Step } from "@portcullis/contracts";
import { chainStart, type HandshakeSecrets, helloHash, openBox } from "@portcullis/crypto";
import {
  closeCodes,
  encodeDenied,
  keyIdOfPsk,
  lp,
  type Open,
  type OpenPayload,
  ProtocolError,
  parseOpen,
  parseOpenPayload,
  utf8,
} from "@portcullis/protocol";
import type { Clock, Logger, Vault } from "@portcullis/runtime";
import { type AppKeyCollection, openPsk } from "../app-keys/store.ts";
import type { Bundles, LiveBundle } from "../bundles/bundles.ts";
import { type ChannelStore, frameHash, restoreStep, storeStep } from "./channel.ts";
import { bareDenial, type SpeakerContext, say } from "./speaker.ts";

export interface OpenContext extends SpeakerContext {
  readonly bundles: Bundles;
  readonly appKeys: AppKeyCollection;
  readonly channels: ChannelStore;
  readonly vault: Vault;
  readonly decoyKey: Uint8Array;
  /** A sealed PSK of nobody, opened where there is none to open. */
  readonly decoy: { readonly id: string; readonly sealed: string };
  readonly caller: Caller;
  readonly clock: Clock;
  readonly log: Pick<Logger, "error">;
}

export interface OpenRequest {
  readonly kid: string;
  readonly hid: string;
  readonly nonce: Uint8Array;
  readonly open: Uint8Array;
  readonly connection: ConnectionFacts;
}

/** How long a finished handshake is remembered for repeated frames. */
export const afterlifeMs = 60_000;

const staleBundle: Step = Object.freeze({
  frames: [{ kind: "text" as const, data: utf8(encodeDenied({ code: "expired-bundle" })) }],
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

  const keyId = keyIdOfPsk(open.psk);
  const key = await findKey(context, keyId, connection);
  const opened = await tryOpen(bundle, request, open, keyId === null ? null : key.psk);
  key.psk.fill(0);
  try {
    const outcome = await context.caller.call(identityOpen, {
      hid,
      opening,
      connection,
      opened: opened !== null,
      claimedId: opened?.payload.dst.id ?? null,
      key: opened !== null && keyId !== null && key.socketId !== null ? { keyId, socketId: key.socketId } : null,
      answers: (opened?.payload.answers ?? []).map(({ gate, value, at }) => ({ gate, value, at: at ?? null })),
    });
    return opened === null ? bareDenial : await begin(context, { hid, opening, keyId }, opened.handshake, outcome);
  } finally {
    opened?.handshake.prk.fill(0);
  }
}

/** Says what identity decided, and keeps the channel for what comes next. */
async function begin(
  context: OpenContext,
  { hid, opening, keyId }: { readonly hid: string; readonly opening: string; readonly keyId: string | null },
  { th, prk }: HandshakeSecrets,
  outcome: Outcome,
): Promise<Step> {
  const start = {
    th,
    prk,
    keyId,
    clientCount: 0,
    clientChain: chainStart(),
    serverCount: 0,
    serverChain: chainStart(),
    done: false,
    lastFrameHash: opening,
    lastStep: "",
  };
  const { step, channel } = await say(context, start, outcome);
  const ttlMs = Math.max(0, (step.deadlineMs ?? context.clock()) - context.clock()) + afterlifeMs;
  if (await context.channels.create(hid, { ...channel, lastStep: storeStep(step) }, ttlMs)) return step;
  // What was sealed here is thrown away: the client may have the stored bytes already.
  const found = await context.channels.get(hid);
  if (found?.channel.lastFrameHash === opening) return restoreStep(found.channel.lastStep);
  throw new ServiceError("conflict");
}

/** The same reads and the same work for a key that is not there. */
async function findKey(
  context: OpenContext,
  keyId: string | null,
  { label, path }: ConnectionFacts,
): Promise<{ psk: Uint8Array; socketId: string | null }> {
  const stored = await context.appKeys.get(keyId ?? "none");
  const madeUp = createHmac("sha256", context.decoyKey);
  for (const part of [label, path, keyId ?? ""]) madeUp.update(lp(utf8(part)));
  const dummy = new Uint8Array(madeUp.digest());
  const isLive = keyId !== null && stored !== null && stored.body.revokedAtMs === null;
  try {
    const { id, sealed } = isLive ? { id: keyId, sealed: stored.body.pskSealed } : context.decoy;
    const psk = openPsk(context.vault, id, sealed);
    return isLive ? { psk, socketId: stored.body.socketId } : { psk: dummy, socketId: null };
  } catch (error) {
    // Altered in the store, or of a lost master key: for the operator; outside it is a key like any that does not fit.
    context.log.error("an app key's secret does not open", { keyId }, error);
    return { psk: dummy, socketId: null };
  }
}

/** Null for everything that is wrong with it, including a destination that is not the one the edge reports. */
async function tryOpen(
  bundle: LiveBundle,
  request: OpenRequest,
  open: Open,
  psk: Uint8Array | null,
): Promise<{ payload: OpenPayload; handshake: HandshakeSecrets } | null> {
  const privateKey = bundle.privateKeys.get(open.suite);
  if (privateKey === undefined) return null;
  const { hid, nonce, connection } = request;
  const h0 = await helloHash({ bundle: bundle.bundle, sig: bundle.signature, hid, nonce });
  try {
    const { payload: bytes, handshake } = await openBox({ h0, suite: open.suite, privateKey, open, psk });
    const payload = parseOpenPayload(bytes);
    const { dst } = payload;
    return dst.label === connection.label && dst.path === connection.path && dst.query === connection.query
      ? { payload, handshake }
      : null;
  } catch {
    return null;
  }
}

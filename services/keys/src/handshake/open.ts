import { createHash, createHmac } from "node:crypto";
import type { Caller } from "@portcullis/bus";
import { type ConnectionFacts, identityOpen, ServiceError, type Step } from "@portcullis/contracts";
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
import type { Clock, Vault } from "@portcullis/runtime";
import { type AppKeyCollection, openPsk } from "../app-keys/store.ts";
import type { Bundles, LiveBundle } from "../bundles/bundles.ts";
import { type ChannelStore, storeStep } from "./channel.ts";
import { bareDenial, type SpeakerContext, say } from "./speaker.ts";

export interface OpenContext extends SpeakerContext {
  readonly bundles: Bundles;
  readonly appKeys: AppKeyCollection;
  readonly channels: ChannelStore;
  readonly vault: Vault;
  readonly decoyKey: Uint8Array;
  readonly caller: Caller;
  readonly clock: Clock;
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
 */
export async function openHandshake(context: OpenContext, request: OpenRequest): Promise<Step> {
  const bundle = context.bundles.live(request.kid);
  if (bundle === null) return staleBundle;
  let open: Open;
  try {
    open = parseOpen(new TextDecoder("utf-8", { fatal: true }).decode(request.open));
  } catch (error) {
    return closed(error instanceof ProtocolError ? error.closeCode : closeCodes.malformed.code);
  }
  const enc = createHash("sha256").update(open.enc).digest("base64url");
  if (bundle.seen.has(enc)) return bareDenial;
  bundle.seen.add(enc);

  const keyId = keyIdOfPsk(open.psk);
  const key = await findKey(context, keyId, request.connection);
  const opened = await tryOpen(bundle, request, open, keyId === null ? null : key.psk);
  const outcome = await context.caller.call(identityOpen, {
    hid: request.hid,
    connection: request.connection,
    opened: opened !== null,
    claimedId: opened?.payload.dst.id ?? null,
    key: opened !== null && keyId !== null && key.socketId !== null ? { keyId, socketId: key.socketId } : null,
    answers: (opened?.payload.answers ?? []).map(({ gate, value, at }) => ({ gate, value, at: at ?? null })),
  });
  if (opened === null) return bareDenial;

  const start = {
    th: opened.handshake.th,
    prk: opened.handshake.prk,
    keyId,
    clientCount: 0,
    clientChain: chainStart(),
    serverCount: 0,
    serverChain: chainStart(),
    done: false,
    lastFrameHash: "",
    lastStep: "",
  };
  const { step, channel } = await say(context, start, outcome);
  const ttlMs = Math.max(0, (step.deadlineMs ?? context.clock()) - context.clock()) + afterlifeMs;
  const created = await context.channels.create(request.hid, { ...channel, lastStep: storeStep(step) }, ttlMs);
  opened.handshake.prk.fill(0);
  // Another opening under the same handshake id: only a dishonest edge does that.
  if (!created) throw new ServiceError("conflict");
  return step;
}

async function findKey(
  context: OpenContext,
  keyId: string | null,
  { label, path }: ConnectionFacts,
): Promise<{ psk: Uint8Array; socketId: string | null }> {
  const stored = await context.appKeys.get(keyId ?? "none");
  const madeUp = createHmac("sha256", context.decoyKey);
  for (const part of [label, path, keyId ?? ""]) madeUp.update(lp(utf8(part)));
  const dummy = new Uint8Array(madeUp.digest());
  if (keyId === null || stored === null || stored.body.revokedAtMs !== null) return { psk: dummy, socketId: null };
  return { psk: openPsk(context.vault, keyId, stored.body.pskSealed), socketId: stored.body.socketId };
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

import type { Server } from "@portcullis/bus";
import { type KeyRole, killAppKey, mintAppKey, readAppKeys, ServiceError } from "@portcullis/contracts";
import { appKeyPsk, formatAppKey, generateAppKey } from "@portcullis/crypto";
import type { Stored } from "@portcullis/documents";
import type { Clock, Vault } from "@portcullis/runtime";
import { type AppKeyCollection, type StoredAppKey, sealPsk } from "./store.ts";

export interface AppKeyContext {
  readonly appKeys: AppKeyCollection;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  /** Fingerprint that a new key pins. */
  readonly pin: () => Promise<string>;
}

/** Revoked ones included: they stay listed so that an owner sees what there was, until a new key needs the place of the oldest. */
const perSocketMax = 100;

export async function serveAppKeys(server: Server, context: AppKeyContext): Promise<void> {
  await server.serve(mintAppKey, (body) => mint(context, body));
  await server.serve(readAppKeys, async ({ socketId }) => ({ appKeys: (await all(context, socketId)).map(view) }));
  await server.serve(killAppKey, (body) => kill(context, body));
}

async function mint(
  context: AppKeyContext,
  { socketId, label, role, canary }: { socketId: string; label: string; role: KeyRole; canary?: boolean | undefined },
) {
  const key = generateAppKey(await context.pin(), context.random);
  const psk = await appKeyPsk(key.secret);
  const stored = await context.appKeys.insert(key.keyId, {
    socketId,
    label,
    role,
    canary: canary ?? false,
    pskSealed: sealPsk(context.vault, key.keyId, psk),
    createdAtMs: context.clock(),
    revokedAtMs: null,
    lastUsedAtMs: null,
  });
  const shown = formatAppKey(key);
  psk.fill(0);
  key.secret.fill(0);
  if (await makeRoom(context, socketId)) return { appKey: view(stored), key: shown };
  // Nobody has heard of it.
  await context.appKeys.delete(key.keyId);
  throw new ServiceError("invalid", {
    issues: [{ path: "label", message: `a socket has at most ${perSocketMax} live keys: revoke one first` }],
  });
}

/**
 * Keys are rotated for as long as a socket lives, so the longest dead give way. It goes by what is there behind the write of the new one: whoever comes in the same
 * moment as others sees them, and no more stay than may be.
 *
 * @returns false: too many of them are live
 */
async function makeRoom(context: AppKeyContext, socketId: string): Promise<boolean> {
  const keys = await all(context, socketId);
  const excess = Math.max(0, keys.length - perSocketMax);
  const revoked = keys.flatMap(({ id, body: { revokedAtMs } }) => (revokedAtMs === null ? [] : [{ id, revokedAtMs }]));
  if (revoked.length < excess) return false;
  const longestDead = revoked.toSorted((a, b) => a.revokedAtMs - b.revokedAtMs).slice(0, excess);
  for (const { id } of longestDead) await context.appKeys.delete(id);
  return true;
}

async function kill(
  context: AppKeyContext,
  { socketId, keyId }: { socketId: string; keyId: string | null },
): Promise<Record<string, never>> {
  if (keyId !== null) {
    await revoke(context, socketId, keyId);
    return {};
  }
  // The socket goes, and everything of it: what is not there cannot be revoked by mistake, nor leak later.
  for (;;) {
    const keys = await context.appKeys.find({ socketId }, { limit: 1000 });
    if (keys.length === 0) return {};
    for (const { id } of keys) await context.appKeys.delete(id);
  }
}

async function revoke(context: AppKeyContext, socketId: string, keyId: string): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const key = await context.appKeys.get(keyId);
    if (key === null || key.body.socketId !== socketId) throw new ServiceError("not_found");
    if (key.body.revokedAtMs !== null) return;
    const revoked = { ...key.body, revokedAtMs: context.clock() };
    if ((await context.appKeys.replace(keyId, key.version, revoked)) !== null) return;
  }
  throw new ServiceError("conflict");
}

function all(context: AppKeyContext, socketId: string): Promise<Stored<StoredAppKey>[]> {
  // More than the most: of those who make the last one at once each is there until it has looked.
  return context.appKeys.find({ socketId }, { limit: 1000 });
}

function view({ id, body }: Stored<StoredAppKey>) {
  const { label, role, createdAtMs, revokedAtMs, lastUsedAtMs } = body;
  return { keyId: id, label, role, createdAtMs, revokedAtMs, lastUsedAtMs };
}

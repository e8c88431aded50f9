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
  { socketId, label, role }: { socketId: string; label: string; role: KeyRole },
) {
  await makeRoom(context, socketId);
  const key = generateAppKey(await context.pin(), context.random);
  const psk = await appKeyPsk(key.secret);
  const stored = await context.appKeys.insert(key.keyId, {
    socketId,
    label,
    role,
    pskSealed: sealPsk(context.vault, key.keyId, psk),
    createdAtMs: context.clock(),
    revokedAtMs: null,
    lastUsedAtMs: null,
  });
  const shown = formatAppKey(key);
  psk.fill(0);
  key.secret.fill(0);
  return { appKey: view(stored), key: shown };
}

/** Keys are rotated for as long as a socket lives. @throws {ServiceError} invalid: all of them are live. */
async function makeRoom(context: AppKeyContext, socketId: string): Promise<void> {
  if ((await context.appKeys.count({ socketId })) < perSocketMax) return;
  const revoked = (await all(context, socketId)).flatMap(({ id, body: { revokedAtMs } }) =>
    revokedAtMs === null ? [] : [{ id, revokedAtMs }],
  );
  const [oldest] = revoked.toSorted((a, b) => a.revokedAtMs - b.revokedAtMs);
  if (oldest === undefined) {
    throw new ServiceError("invalid", {
      issues: [{ path: "label", message: `a socket has at most ${perSocketMax} live keys: revoke one first` }],
    });
  }
  await context.appKeys.delete(oldest.id);
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
  // More than the most: two who make the last one at once may both get it.
  return context.appKeys.find({ socketId }, { limit: 1000 });
}

function view({ id, body }: Stored<StoredAppKey>) {
  const { label, role, createdAtMs, revokedAtMs, lastUsedAtMs } = body;
  return { keyId: id, label, role, createdAtMs, revokedAtMs, lastUsedAtMs };
}

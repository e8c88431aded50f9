import {
  type DecoyScript,
  decoyNoted,
  dropDirectory,
  forgetDecoys,
  type KeyRole,
  keepDecoyScript,
  killAppKey,
  mintAppKey,
  type Outcome,
  pushOutcome,
  readAppKeys,
  readDecoyRecords,
  readDecoyScript,
  readDirectory,
  readSessionWords,
  ServiceError,
  sealFarewells,
  serverIdentity,
  signAudit,
} from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";

/** In the place of `keys`: app keys by name, and farewells that say why. */
export interface FakeKeys {
  /** Key id to socket id, those that live. */
  readonly live: Map<string, string>;
  readonly farewells: { readonly sids: readonly string[]; readonly what: string }[];
  down: boolean;
  /** By socket. */
  readonly scripts: Map<string, DecoyScript>;
  /** What was written down of handshakes that were played. */
  readonly noted: { readonly room: string; readonly deed: string; readonly gate: string | null }[];
  /** Of sessions, by their ids. */
  readonly words: Map<string, string>;
  /** What was to be said unasked. */
  readonly pushed: { readonly hid: string; readonly seq: number; readonly n: number; readonly outcome: Outcome }[];
}

export async function serveKeys({ server, ids }: Platform): Promise<FakeKeys> {
  const keys: FakeKeys = {
    live: new Map(),
    farewells: [],
    down: false,
    scripts: new Map(),
    noted: [],
    words: new Map(),
    pushed: [],
  };
  const requireUp = () => {
    if (keys.down) throw new ServiceError("unavailable");
  };
  const view = (keyId: string, label = "key", role: KeyRole = "member", canary = false) => ({
    keyId,
    label,
    role,
    canary,
    createdAtMs: 0,
    revokedAtMs: null,
    lastUsedAtMs: null,
  });
  await server.serve(serverIdentity, () => ({ fingerprint: "print" }));
  await server.serve(signAudit, () => {
    requireUp();
    return { key: new Uint8Array(32), sig: new Uint8Array(64) };
  });
  await server.serve(mintAppKey, ({ socketId, label, role, canary }) => {
    requireUp();
    const keyId = ids.id();
    keys.live.set(keyId, socketId);
    return { appKey: view(keyId, label, role, canary), key: `pc1.${keyId}` };
  });
  await server.serve(readAppKeys, ({ socketId }) => ({
    appKeys: [...keys.live].filter(([, of]) => of === socketId).map(([keyId]) => view(keyId)),
  }));
  await server.serve(killAppKey, ({ socketId, keyId }) => {
    requireUp();
    for (const [id, of] of keys.live) if (of === socketId && (keyId === null || keyId === id)) keys.live.delete(id);
    return {};
  });
  await server.serve(readDirectory, () => ({ entries: [] }));
  await server.serve(dropDirectory, () => {
    requireUp();
    return { dropped: 1 };
  });
  await server.serve(readSessionWords, ({ sids }) => {
    requireUp();
    return {
      words: sids.flatMap((sid) => {
        const words = keys.words.get(sid);
        return words === undefined ? [] : [{ sid, words }];
      }),
    };
  });
  await server.serve(sealFarewells, ({ sids, what }) => {
    requireUp();
    keys.farewells.push({ sids, what });
    return { frames: sids.map((sid) => ({ sid, frame: Buffer.from(`${what} ${sid}`) })) };
  });
  await server.serve(forgetDecoys, () => {
    requireUp();
    return {};
  });
  await server.serve(keepDecoyScript, ({ socketId, script }) => {
    requireUp();
    if (script === null) keys.scripts.delete(socketId);
    else keys.scripts.set(socketId, script);
    return {};
  });
  await server.serve(readDecoyScript, ({ socketId }) => ({ script: keys.scripts.get(socketId) ?? null }));
  await server.serve(readDecoyRecords, () => ({ records: [], next: null }));
  await server.on(decoyNoted, (noted) => void keys.noted.push(noted));
  await server.serve(pushOutcome, (push) => {
    requireUp();
    keys.pushed.push(push);
    return { taken: true };
  });
  return keys;
}

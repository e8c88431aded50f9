import { serverIdentities, serverIdentity, sessionAbandoned } from "@portcullis/contracts";
import { createRecordWriter } from "@portcullis/crypto";
import type { Platform } from "@portcullis/platform";
import { serveAppKeys } from "./app-keys/serve.ts";
import { openAppKeys, type StoredAppKey, sealPsk } from "./app-keys/store.ts";
import { serveAudit } from "./audit.ts";
import { createBundles } from "./bundles/bundles.ts";
import type { KeysConfig } from "./config.ts";
import { createGroups } from "./groups/groups.ts";
import { serveGroups } from "./groups/serve.ts";
import { createChannelStore } from "./handshake/channel.ts";
import { serveHandshakes } from "./handshake/serve.ts";
import { openIdentity } from "./identity.ts";
import { createDeliveries } from "./messages/deliveries.ts";
import { createDeliveryMeter } from "./messages/delivery-meter.ts";
import { createHistory } from "./messages/history.ts";
import { createOrder } from "./messages/order.ts";
import { createParkedMessages } from "./messages/parked.ts";
import { createPool } from "./messages/pool.ts";
import { servePresence } from "./messages/presence.ts";
import { createReceivers } from "./messages/receivers.ts";
import { serveMessages } from "./messages/serve.ts";
import { createLiveSessions } from "./sessions/live-sessions.ts";
import { serveLastWords } from "./sessions/serve.ts";
import { createSessionSecrets } from "./sessions/session-secrets.ts";
import { createWordsOf, serveWords } from "./sessions/words.ts";

export { type KeysConfig, keysConfig } from "./config.ts";

export async function run(platform: Platform, config: KeysConfig): Promise<void> {
  const { documents, state, vault, caller, server, clock, ids, random, closer, log } = platform;
  const identities = await openIdentity(documents, vault, clock, log);
  const appKeys = await openAppKeys(documents);
  const bundles = createBundles({ identities, clock, ids });
  closer.add("bundles", async () => bundles.close());
  const writer = createRecordWriter(random);
  const sessions = createSessionSecrets(state, vault, clock);
  const live = createLiveSessions(state, sessions, clock);
  const groups = createGroups({ state, vault, clock, random });
  const order = createOrder(state, vault.subkey("message-order"));
  const history = createHistory(state, vault);
  const parked = createParkedMessages(state, vault, clock);
  const isKeyLive = async (keyId: string | null) => keyId === null || (await liveKey(keyId)) !== null;

  const pin = async () => (await identities.current()).pin;
  await serveAppKeys(server, { appKeys, vault, clock, random, pin });
  await server.serve(serverIdentity, async () => ({ fingerprint: await pin() }));
  await server.serve(serverIdentities, async () => ({ fingerprints: [...(await identities.current()).fingerprints] }));

  await serveAudit(server, identities);
  await serveLastWords(server, { secrets: sessions, live, parked, groups, writer, clock, log });
  const wordsOf = createWordsOf(live, log);
  await serveWords(server, wordsOf);
  await serveGroups(server, { groups, live, writer, log });
  const receivers = createReceivers({ live, writer, caller });
  const pool = createPool(state, receivers);
  await servePresence(server, { live, secrets: sessions, pool, receivers });
  const directed = {
    receivers,
    pool,
    deliveries: createDeliveries(state),
    meter: createDeliveryMeter(),
    nameKey: vault.subkey("message-names"),
  };
  const messages = {
    live,
    groups,
    order,
    history,
    parked,
    writer,
    wordsOf,
    caller,
    clock,
    ids,
    isKeyLive,
    ...directed,
  };
  const ticks = await serveMessages(server, messages, { tickEveryMs: config.tickEveryMs, log });
  closer.add("ticks", async () => ticks.close());
  await serveHandshakes(server, platform.instance, {
    bundles,
    appKeys,
    channels: createChannelStore(state, vault),
    vault,
    decoyKey: vault.subkey("decoy-psk"),
    decoy: { id: "decoy", sealed: sealPsk(vault, "decoy", random(32)) },
    log,
    caller,
    clock,
    identities,
    writer,
    sessions,
    live,
    groups,
    order,
    isKeyLive,
    useKey: async (keyId) => {
      if (keyId === null) return true;
      const key = await liveKey(keyId);
      if (key !== null) noteUse(keyId, key.version, key.body);
      return key !== null;
    },
    abandon: (sid, socketId) => {
      try {
        caller.emit(sessionAbandoned, { sid, socketId });
      } catch {
        log.warn("an abandoned session stays listed until it expires", { sid });
      }
    },
  });

  async function liveKey(keyId: string) {
    const key = await appKeys.get(keyId);
    return key === null || key.body.revokedAtMs !== null ? null : key;
  }

  /** To the minute: a write on every accept would be a hot spot for nothing. Nobody waits for it, and losing it is fine. */
  function noteUse(keyId: string, version: number, body: StoredAppKey): void {
    const now = clock();
    if (body.lastUsedAtMs !== null && now - body.lastUsedAtMs <= 60_000) return;
    appKeys.replace(keyId, version, { ...body, lastUsedAtMs: now }).catch((error: unknown) => {
      log.warn("the use of an app key could not be noted", { keyId }, error);
    });
  }
}

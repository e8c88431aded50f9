import { serverIdentities, serverIdentity, sessionAbandoned } from "@portcullis/contracts";
import { createRecordWriter } from "@portcullis/crypto";
import type { Platform } from "@portcullis/platform";
import { openRooms, scopedState } from "@portcullis/state";
import { serveAppKeys } from "./app-keys/serve.ts";
import { openAppKeys, type StoredAppKey, sealPsk } from "./app-keys/store.ts";
import { serveAudit } from "./audit.ts";
import { createBundles } from "./bundles/bundles.ts";
import type { KeysConfig } from "./config.ts";
import { startEvery } from "./decoy/every.ts";
import { createGhosts } from "./decoy/ghosts.ts";
import { createLeaving } from "./decoy/leaving.ts";
import { takeNowhere } from "./decoy/nowhere.ts";
import { createRoomPresence } from "./decoy/presence.ts";
import { openScripts } from "./decoy/scripts.ts";
import { serveDecoys } from "./decoy/serve.ts";
import { createShapes } from "./decoy/shape.ts";
import { createTraffic } from "./decoy/traffic.ts";
import { openTranscript } from "./decoy/transcript.ts";
import { callerOfRooms, callerOfSockets } from "./decoy/worlds.ts";
import { createDirectory } from "./directory/directory.ts";
import { serveDirectory } from "./directory/serve.ts";
import { openDirectory } from "./directory/store.ts";
import { serveGroups } from "./groups/serve.ts";
import { createChannelStore } from "./handshake/channel.ts";
import { createSchedule } from "./handshake/schedule.ts";
import { serveHandshakes } from "./handshake/serve.ts";
import { openIdentity } from "./identity.ts";
import { takeDirected } from "./messages/directed.ts";
import { servePresence } from "./messages/presence.ts";
import { serveMessages, ticksOf } from "./messages/serve.ts";
import { serveLastWords } from "./sessions/serve.ts";
import { serveWords } from "./sessions/words.ts";

import { createWorld } from "./world.ts";

export { type KeysConfig, keysConfig } from "./config.ts";

/** How exactly what is said in a decoy comes when it is due. */
const trafficEveryMs = 500;
/** Ten times what an opening takes on a machine that is not busy, so that hardly any misses its moment, and nothing that a person would notice. */
const denialEveryMs = 25;
const shapesEveryMs = 10_000;

export async function run(platform: Platform, config: KeysConfig): Promise<void> {
  const { documents, state, vault, caller, server, clock, ids, random, closer, log } = platform;
  const identities = await openIdentity(documents, vault, clock, log);
  const appKeys = await openAppKeys(documents);
  const bundles = createBundles({ identities, clock, ids });
  closer.add("bundles", async () => bundles.close());
  const writer = createRecordWriter(random);
  const isKeyLive = async (keyId: string | null) => keyId === null || (await liveKey(keyId)) !== null;

  const pin = async () => (await identities.current()).pin;
  await serveAppKeys(server, { appKeys, vault, clock, random, pin });
  await server.serve(serverIdentity, async () => ({ fingerprint: await pin() }));
  await server.serve(serverIdentities, async () => ({ fingerprints: [...(await identities.current()).fingerprints] }));

  await serveAudit(server, identities);
  const rooms = await openRooms(state);
  const decoyState = scopedState(state, "decoy:");
  const transcript = await openTranscript({ documents, state: decoyState, vault, clock, log });
  closer.add("transcripts", transcript.settled);
  const shapes = createShapes(decoyState, clock, log);
  const directory = createDirectory(await openDirectory(documents), clock);
  await serveDirectory(server, directory);
  const parts = { vault, clock, ids, random, writer, log, isKeyLive, directory };
  const real = createWorld({
    ...parts,
    state,
    caller: callerOfSockets(caller, rooms),
    direct: takeDirected,
    taken: ({ socketId, imitated }, { body }) => {
      if (imitated) shapes.note(socketId, body.length);
    },
  });
  const decoy = createWorld({
    ...parts,
    state: decoyState,
    caller: callerOfRooms(caller, rooms),
    direct: takeNowhere,
    taken: ({ decoyOf, socketId: room }, { body }) => {
      if (decoyOf !== null) transcript.note({ socketId: decoyOf, room }, { atMs: clock(), deed: "said", body });
    },
  });

  await serveLastWords(server, { worlds: [real, decoy], writer, clock, log });
  await serveWords(server, real.wordsOf);
  await serveGroups(server, { worldOf: (id) => (rooms.is(id) ? decoy : real), writer, log });
  const scripts = await openScripts(documents, vault);
  await serveDecoys(server, { transcript, scripts });
  await servePresence(server, { ...real, elsewhere: createLeaving(decoy, transcript, clock) });
  const ticking = { tickEveryMs: config.tickEveryMs, log };
  const [ticks, decoyTicks] = [ticksOf(real, ticking), ticksOf(decoy, ticking)];
  closer.add("ticks", async () => {
    ticks.close();
    decoyTicks.close();
  });
  await serveMessages(server, { real: { ...real, ticks }, decoy: { ...decoy, ticks: decoyTicks } });
  const { secrets: sessions, live, groups, order } = real;
  const presence = createRoomPresence(decoyState, decoy.live);
  const ghosts = createGhosts({ ...decoy, ticks: decoyTicks }, transcript, vault.subkey("decoy-names"));
  const traffic = createTraffic({ state: decoyState, presence, scripts, shapes, ghosts, random, clock, log });
  closer.add("decoys' traffic", startEvery(trafficEveryMs, traffic.play, log));
  closer.add("shapes of traffic", startEvery(shapesEveryMs, shapes.flush, log));
  await serveHandshakes(server, platform.instance, {
    bundles,
    appKeys,
    channels: createChannelStore(state, vault),
    vault,
    denials: createSchedule(denialEveryMs),
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
    decoys: { ...decoy, sessions: decoy.secrets, entered: presence.entered },
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

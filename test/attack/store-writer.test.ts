import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { denial, sessionKeeper } from "../e2e/support/sessions.ts";
import { keyOnly, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { closeOf } from "./support/closes.ts";
import { goOn } from "./support/go-on.ts";
import { type Insider, insider } from "./support/insider.ts";
import { message } from "./support/knock.ts";

/**
 * Whoever can write to Redis and MongoDB, here to the file that stands in for both, and has no master key. They can change what is not sealed, and so let
 * somebody in (`docs/threat-model.md`); what is sealed they can move and put back.
 */
const folder = mkdtempSync(join(tmpdir(), "portcullis-store-writer-"));
const policy = {
  ...keyOnly,
  resume: "1m",
  encryption: { session: "required" },
  messaging: { history: { messages: 50 } },
};
const keeper = sessionKeeper();
const inside: Insider[] = [];
let world: World;
let theirs: OwnedSocket;
/** Of the attacker's own, on the same server. */
let own: OwnedSocket;

beforeAll(async () => {
  world = await startWorld({ dataDir: folder, env: { TICK_INTERVAL: "10m" } });
});
beforeEach(async () => {
  [theirs, own] = [await makeSocket(world.owner, policy), await makeSocket(world.owner, policy)];
});
afterEach(async () => {
  for (const each of inside.splice(0)) each.leave();
  await keeper.closeAll();
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(statement: string, parameters: Record<string, string> = {}): void {
  const database = new DatabaseSync(join(folder, "portcullis.sqlite"), { timeout: 5_000 });
  try {
    expect(database.prepare(statement).run(parameters).changes, statement).toBeGreaterThan(0);
  } finally {
    database.close();
  }
}

/** Of an entry in the state store, over another one, which may not be there yet. */
const copy = (from: string, to: string) =>
  write(
    `INSERT INTO _state_entries (key, value, version, expires_at_ms)
     SELECT $to, value, version, expires_at_ms FROM _state_entries WHERE key = $from
     ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    { $from: from, $to: to },
  );

async function enter(socket: OwnedSocket): Promise<Insider> {
  const who = await insider(socket.url, socket);
  inside.push(who);
  return who;
}

const say = async (who: Insider, counter: number, text: string) => who.send(await who.up(message(counter, text)));
const epochOf = ({ accepted }: Insider) => accepted.group?.epoch ?? Number.NaN;
/** Of records for everybody that came. */
const epochsHeard = ({ heard }: Insider) =>
  heard
    .filter((frame) => typeof frame !== "string" && frame[0] === 0x30)
    .map((frame) => Buffer.from(frame).readUInt32BE(1));

describe("what is sealed opens in its own place only", () => {
  test("an app key's secret that was put under another key's id opens nothing", async () => {
    const appKey = own.appKey.replace(own.keyId, theirs.keyId);
    write(
      `UPDATE keys_app_keys SET body = json_set(body, '$.pskSealed',
         (SELECT json_extract(body, '$.pskSealed') FROM keys_app_keys WHERE id = $own)) WHERE id = $theirs`,
      { $own: own.keyId, $theirs: theirs.keyId },
    );
    await expect(keeper.connect(theirs.url, { appKey })).rejects.toMatchObject(denial);
  });

  test("a session's keys that were put in another session's place take nothing over", async () => {
    const [bob, eve] = [await enter(theirs), await enter(own)];
    copy(`keys:session:${eve.accepted.sid}`, `keys:session:${bob.accepted.sid}`);
    // Nothing sealed is said to them: neither that they are in, nor that they are not.
    expect(await goOn(theirs.url, bob.accepted.sid, eve.resume)).not.toBeInstanceOf(Buffer);
  });

  test("a group's key that is known was put where another group takes its next one: nothing is sealed under it", async () => {
    const [bob, carol, eve] = [await enter(theirs), await enter(theirs), await enter(own)];
    const next = epochOf(bob) + 1;
    copy(`keys:group:${own.id}:${epochOf(eve)}`, `keys:group:${theirs.id}:${next}`);
    await world.owner.delete(`/v1/sockets/${theirs.id}/sessions/${carol.accepted.sid}`);
    await say(bob, 0, "to nobody but us");
    expect(await bob.closed).toEqual(closeOf("unavailable"));
    expect(epochsHeard(bob)).not.toContain(next);
  });

  test("what a socket keeps of its messages is not said on another one", async () => {
    const [bob, eve] = [await enter(theirs), await enter(own)];
    await say(bob, 0, "to nobody but us");
    await say(eve, 0, "to find a place");
    await vi.waitFor(() => expect([bob, eve].map(epochsHeard)).toEqual([[epochOf(bob)], [epochOf(eve)]]));
    copy(`keys:history:${theirs.id}:1`, `keys:history:${own.id}:1`);
    expect((await eve.reaction()).close).toEqual(closeOf("unavailable"));
    expect((await eve.told()).join()).not.toContain("to nobody but us");
  });
});

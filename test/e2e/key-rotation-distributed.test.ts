import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { run, stopPrograms } from "../../deploy/demo/test/program.ts";
import { environmentOf, readSecrets } from "../../deploy/local/secrets.ts";
import { type DistributedWorld, startDistributedWorld } from "./support/distributed-world.ts";
import { at, read, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeKey, makeSocket } from "./support/socket.ts";

// Ten processes of its own take their time; what holds between replicas is also shown from nearer by (libs/key-ring/test).
const full = process.env.PORTCULLIS_FULL === "1";
const keeper = sessionKeeper();
let world: DistributedWorld;
let missing: string | null = null;

describe.runIf(full)("another data key, on real engines", () => {
  beforeAll(async () => {
    const started = await startDistributedWorld();
    if ("missing" in started) missing = started.missing;
    else world = started;
  }, 180_000);
  beforeEach(({ skip }) => {
    if (missing !== null) skip(`missing: ${missing}`);
  });
  afterEach(() => keeper.closeAll());
  afterAll(async () => {
    await stopPrograms();
    if (missing === null) await world?.close();
  }, 60_000);

  test("is had by each service with its own environment, while two replicas of each take people in and carry what they say", {
    timeout: 120_000,
  }, async () => {
    const secrets = await readSecrets(world.dataDir);
    const policy = {
      ...keyOnly,
      encryption: { session: "required" },
      messaging: { history: { messages: 100 }, perSecond: 500 },
      resume: "30s",
    };
    const socket = await makeSocket(world.owner, policy);
    const enter = (edge: number, appKey = socket.appKey) =>
      keeper.connect(at(world.edges[edge], socket.url), { appKey });
    const [ann, bob] = [await enter(0), await enter(1)];
    let isOver = false;
    const rotating = (async () => {
      let out = "";
      for (const service of ["identity", "factors", "keys"] as const) {
        const env = { ...environmentOf(service, secrets), MONGODB_URL: world.mongodb.url };
        const program = run(`services/${service}/src/data-keys.ts`, ["rotate"], env);
        expect([await program.exit, program.stderr]).toEqual([0, ""]);
        out += program.stdout;
      }
      return out;
    })().finally(() => {
      isOver = true;
    });
    for (let n = 0; !isOver; n += 1) {
      await ann.send(`message ${n}`);
      expect(await read(bob, 1)).toEqual([`message ${n}`]);
      // Everything that a newcomer needs: another app key, its psk, a handshake, an entry in the book, the group's key.
      const comes = await enter(n % 2, (await makeKey(world.owner, socket.id)).appKey);
      await comes.close();
    }
    const out = await rotating;
    for (const service of ["identity", "factors", "keys"])
      expect(out).toMatch(new RegExp(`^${service}: key [0-9a-f]{8} is current$`, "m"));
    expect(out).toMatch(/^keys: keys_app_keys: [1-9]\d* documents, [1-9]\d* sealed again$/m);
    expect(world.logs().toString()).not.toContain("does not open");
  });
});

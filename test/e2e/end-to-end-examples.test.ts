import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateEndToEndIdentity, importEndToEndIdentity } from "@portcullis/crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run, stopPrograms } from "../../deploy/demo/test/program.ts";
import { keyOnly, makeKey, makeSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

/** Slow, for it starts programs: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";

describe.runIf(full)("the examples in examples/node/end-to-end", { timeout: 60_000 }, () => {
  let world: World;
  let folder: string;
  beforeAll(async () => {
    world = await startWorld();
    folder = await mkdtemp(join(tmpdir(), "portcullis-e2e-"));
  });
  afterAll(async () => {
    await stopPrograms();
    await world.close();
    await rm(folder, { recursive: true });
  });

  test("talk to each other, also when the program was started again", async () => {
    const policy = { ...keyOnly, messaging: { mode: "consumer" }, encryption: { endToEnd: "required" } };
    const socket = await makeSocket(world.owner, policy);
    const { appKey } = await makeKey(world.owner, socket.id, "consumer");
    const identity = generateEndToEndIdentity();
    const { fingerprint } = await importEndToEndIdentity(identity);
    const prekeys = join(folder, "prekeys.json");
    const kept: string[] = [];
    for (const text of ["the first secret", "another one"]) {
      const env = { PORTCULLIS_APP_KEY: appKey, PORTCULLIS_E2E: identity };
      const program = run("examples/node/end-to-end/program.ts", [socket.url, prekeys], env);
      await program.until(new RegExp(`sealed to ${fingerprint}`));
      const member = run("examples/node/end-to-end/member.ts", [socket.url, fingerprint, text], {
        PORTCULLIS_APP_KEY: socket.appKey,
      });
      expect(await member.exit).toBe(0);
      expect(member.stdout).toContain(`consumer: I alone have read: ${text}`);
      program.child.kill();
      await program.exit;
      kept.push(await readFile(prekeys, "utf8"));
    }
    expect(kept[0]).toBe(kept[1]);
    expect((await stat(prekeys)).mode & 0o777).toBe(0o600);
  });
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sealedStores as ofFactors } from "@portcullis/factors/sealed";
import { sealedStores as ofIdentity } from "@portcullis/identity/sealed";
import { rotate } from "@portcullis/key-ring";
import { sealedStores as ofKeys } from "@portcullis/keys/sealed";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run, stopPrograms } from "../../deploy/demo/test/program.ts";
import { everythingIn } from "../attack/support/store.ts";
import { at, read, sessionKeeper } from "./support/sessions.ts";
import { makeMember, makeSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

const full = process.env.PORTCULLIS_FULL === "1";
const keeper = sessionKeeper();
let world: World;
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "portcullis-keys-"));
  world = await startWorld({ replicas: true, dataDir });
});
afterAll(async () => {
  await keeper.closeAll();
  await stopPrograms();
  await world.close();
  await rm(dataDir, { recursive: true, force: true });
});

const policy = {
  gates: [{ gate: "key" }, { gate: "otp" }],
  encryption: { session: "required" },
  messaging: { history: { messages: 100 } },
  resume: "30s",
};

/** People come in, by key and code, and speak on a sealed socket whose messages are kept, while it is rotated. */
async function useWhile(rotating: () => Promise<unknown>): Promise<void> {
  const socket = await makeSocket(world.owner, policy);
  await world.owner.post(`/v1/sockets/${socket.id}/webhooks`, { url: "https://hooks.example/planted" });
  const codes = await Promise.all(["ann", "bob"].map((name) => makeMember(world.owner, socket, name)));
  const enter = (index: 0 | 1) =>
    keeper.connect(`${at(world.edges[index], socket.url)}?id=${["ann", "bob"][index]}`, {
      appKey: socket.appKey,
      answers: { otp: async () => codes[index]?.code(world.now()) ?? "" },
    });
  const [ann, bob] = [await enter(0), await enter(1)];
  let [said, isOver] = [0, false];
  const rotation = rotating().finally(() => {
    isOver = true;
  });
  do {
    const text = `message ${said}`;
    await ann.send(text);
    expect(await read(bob, 1)).toEqual([text]);
    said += 1;
    // Documents of each service that are sealed, written meanwhile.
    if (said % 10 === 1) await makeMember(world.owner, socket, `member-${said}`);
  } while (!isOver);
  await rotation;
  await ann.send("after it");
  expect(await read(bob, 1)).toEqual(["after it"]);
  world.advance(30_000);
  await world.fresh();
  // What was written before opens for who comes now: key, code, name.
  expect((await enter(0)).sealed).toBe(true);
}

/** Documents, whichever they are, in which something is sealed under this key: what a store forgot to declare shows here. */
function sealedUnder(keyId: string): string[] {
  // An envelope begins with its version and the key's id: five bytes, of which six characters say nothing else.
  const header = Buffer.from(`01${keyId}00`, "hex").toString("base64url").slice(0, 6);
  const found = [...everythingIn(dataDir)].filter(([, text]) => text.includes(`\\"${header}`));
  return found.map(([name]) => name).filter((name) => !name.includes("data_keys"));
}

describe("another data key", () => {
  test("is had by all three services, while people come in and speak on two replicas of each: nothing fails", async () => {
    const lines: string[] = [];
    const stores = { identity: ofIdentity, factors: ofFactors, keys: ofKeys };
    await useWhile(async () => {
      for (const service of ["identity", "factors", "keys"] as const) {
        const ring = world.embedded.ringOf(service);
        const { documents } = world.embedded.platformFor(service);
        const rest = { clock: world.now, say: (line: string) => void lines.push(line), pollMs: 20 };
        await rotate({ ring, documents, stores: stores[service], signal: AbortSignal.timeout(15_000), ...rest });
      }
    });
    const all = lines.join("\n");
    for (const collection of [
      "identity_owners",
      "identity_members",
      "factors_authenticators",
      "factors_webhooks",
      "keys_identity",
      "keys_app_keys",
    ])
      expect(all).toMatch(new RegExp(`^${collection}: [1-9]\\d* documents, [1-9]\\d* sealed again$`, "m"));
    expect(world.logs.filter((line) => line.includes("does not open"))).toEqual([]);
    for (const service of ["identity", "factors", "keys"] as const) {
      const ring = world.embedded.ringOf(service);
      const [before, current] = (await ring.read()).body.keys.map(({ id }) => sealedUnder(id));
      expect([service, before]).toEqual([service, []]);
      expect(current?.length, service).toBeGreaterThan(0);
    }
  });

  test.runIf(full)("is had by the command, beside the process that runs", { timeout: 60_000 }, async () => {
    const command = async (...args: string[]) => {
      const program = run("cli/main.ts", ["keys", ...args, "--data", dataDir]);
      const exit = await program.exit;
      return { exit, out: program.stdout, err: program.stderr };
    };
    const dry = await command("rotate", "--dry-run");
    expect([dry.exit, dry.err]).toEqual([0, ""]);
    expect(dry.out).toMatch(/^identity: identity_owners: 1 documents would be sealed again$/m);
    let out = "";
    await useWhile(() =>
      command("rotate").then((said) => {
        expect([said.exit, said.err]).toEqual([0, ""]);
        out = said.out;
      }),
    );
    for (const service of ["identity", "factors", "keys"])
      expect(out).toMatch(new RegExp(`^${service}: key .* is current$`, "m"));
    const status = () => command("status").then(({ out: said }) => said);
    expect(await status()).toMatch(/^keys: key [0-9a-f]{8} current, made .*, wrapped by local [0-9a-f]{8}$/m);
    // Its last step is one that nobody has to know of at once.
    await expect.poll(status, { timeout: 10_000 }).toMatch(/^keys: in use by embedded-\d+$/m);
    expect((await command("retire")).out).toContain("nothing was erased");
    expect((await command("rewrap")).out).toContain("every replica has opened it");
  });

  test.runIf(full)("leaves no reader for whom others wait, where nobody reads what the command says", async () => {
    const program = run("cli/main.ts", ["keys", "status", "--data", dataDir]);
    program.child.stdout?.destroy();
    expect([await program.exit, program.stderr]).toEqual([0, ""]);
    for (const service of ["identity", "factors", "keys"] as const) {
      const readers = await world.embedded.ringOf(service).readers();
      expect(readers.filter(({ instance }) => instance.startsWith("command-"))).toEqual([]);
    }
  });
});

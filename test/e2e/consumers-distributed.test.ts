import { type ConsumerSession, connectConsumer, PortcullisError } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type DistributedWorld, startDistributedWorld } from "./support/distributed-world.ts";
import { at, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeKey, makeSocket } from "./support/socket.ts";

// Ten processes of its own take their time, and one test is enough to see that edges hand over to each other.
const full = process.env.PORTCULLIS_FULL === "1";
const keeper = sessionKeeper();
const consumers: ConsumerSession[] = [];
let world: DistributedWorld;
let missing: string | null = null;

describe.runIf(full)("consumers on two edges, on real engines", () => {
  beforeAll(async () => {
    const started = await startDistributedWorld();
    if ("missing" in started) missing = started.missing;
    else world = started;
  }, 180_000);
  beforeEach(({ skip }) => {
    if (missing !== null) skip(`missing: ${missing}`);
  });
  afterEach(async () => {
    await keeper.closeAll();
    await Promise.all(consumers.splice(0).map((each) => each.close()));
  });
  afterAll(async () => {
    if (missing === null) await world?.close();
  }, 60_000);

  test.each([["none"], ["required"]])(
    "each message to one of them, and on when an edge is killed (sealed: %s)",
    async (session) => {
      const policy = {
        ...keyOnly,
        resume: "30s",
        messaging: { mode: "consumer", perSecond: 500 },
        encryption: { session },
      };
      const socket = await makeSocket(world.owner, policy);
      const { appKey } = await makeKey(world.owner, socket.id, "consumer");
      const heard: string[][] = [[], []];
      for (const edge of [0, 1]) {
        const url = at(world.edges[edge], socket.url);
        const program = await connectConsumer(url, { appKey, resume: false, timeoutMs: 15_000 });
        consumers.push(program);
        void (async () => {
          for await (const message of program) heard[edge]?.push(message.text());
        })().catch(() => {});
      }
      const members = await Promise.all(
        [0, 1, 1].map((edge) => keeper.connect(at(world.edges[edge], socket.url), socket)),
      );
      const count = 40;
      const say = async (round: number) => {
        const sent: string[] = [];
        await Promise.all(
          members.map(async (member, index) => {
            for (let n = 0; n < count; n += 1) {
              const text = `${round}:${index}:${n}`;
              // What nobody took is said again; what came back as lost was not delivered, and nothing is delivered that was.
              for (;;) {
                try {
                  await member.send(text);
                  break;
                } catch (error) {
                  if (!(error instanceof PortcullisError) || error.code !== "undelivered") throw error;
                }
              }
              sent.push(text);
            }
          }),
        );
        return sent;
      };
      const first = await say(1);
      await expect.poll(() => heard.flat().sort(), { timeout: 10_000 }).toEqual(first.sort());
      expect(heard.every((texts) => texts.length > 0)).toBe(true);

      world.replica("edge-1").kill("SIGKILL");
      await consumers[0]?.closed;
      const second = await say(2);
      await expect
        .poll(() => (heard[1] ?? []).filter((text) => text.startsWith("2:")).sort(), { timeout: 20_000 })
        .toEqual(second.sort());
      await world.allReady();
    },
    90_000,
  );
});

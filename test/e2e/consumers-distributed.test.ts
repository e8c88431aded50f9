import { type ConsumerSession, connectConsumer, PortcullisError, type Session } from "@portcullis/client";
import { createEndToEnd, createRecipient, type KeyChange, type RecipientOptions } from "@portcullis/client/end-to-end";
import {
  generateEndToEndIdentity,
  type Identity,
  importEndToEndIdentity,
  prekeySuites,
  secureRandom,
  signIdentityStatement,
  signPrekeyStatement,
} from "@portcullis/crypto";
import type { SignedPrekey } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createCanaries } from "./support/canaries.ts";
import { type DistributedWorld, startDistributedWorld } from "./support/distributed-world.ts";
import { at, comeBack, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeKey, makeSocket, type OwnedSocket } from "./support/socket.ts";

// Ten processes of its own take their time. What consumers and seals do is shown from nearer by: here, that edges and replicas hand over to each other.
const full = process.env.PORTCULLIS_FULL === "1";
const isAtomic = process.env.PORTCULLIS_MONGO_ATOMIC === "1";
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

  describe("sealed end to end", () => {
    const policy = {
      ...keyOnly,
      resume: "30s",
      messaging: { mode: "broadcast", history: { messages: 10 } },
      encryption: { session: "required", endToEnd: "required" },
    };

    async function programAt(edge: number, { id, url }: OwnedSocket): Promise<ConsumerSession> {
      const { appKey } = await makeKey(world.owner, id, "consumer");
      const program = await connectConsumer(at(world.edges[edge], url), { appKey, timeoutMs: 15_000 });
      consumers.push(program);
      return program;
    }

    async function recipientAt(edge: number, socket: OwnedSocket, options: RecipientOptions) {
      const session = await programAt(edge, socket);
      return { session, recipient: await createRecipient(session, options) };
    }

    async function memberAt(edge: number, socket: OwnedSocket, pinned: string) {
      const url = at(world.edges[edge], socket.url);
      const session = await keeper.connect(url, { appKey: socket.appKey, requireEndToEnd: true });
      const changes: KeyChange[] = [];
      const onKeyChange = (change: KeyChange) => void changes.push(change);
      const e2e = await createEndToEnd(session, { recipients: { consumer: pinned }, onKeyChange });
      return { session, changes, e2e };
    }

    async function next<Said>(session: AsyncIterable<Said>): Promise<Said> {
      for await (const message of session) return message;
      throw new Error("the session has ended");
    }

    /** What they are told of it at both edges. */
    const entries = (sessions: readonly Pick<Session, "directory">[], name = "consumer") =>
      Promise.all(sessions.map(({ directory }) => directory.find(name)));

    test("of all who publish at once at both edges one has the name, and of its prekeys the newest counts, whichever came last", async () => {
      const socket = await makeSocket(world.owner, policy);
      const programs = await Promise.all([0, 1, 0, 1].map((edge) => programAt(edge, socket)));
      const socketLabel = programs[0]?.label ?? "";
      const nowMs = Date.now();
      const names = ["consumer", "b", "c", "d", "e", "f", "g", "h"];
      const mine = await Promise.all(programs.map(() => importEndToEndIdentity(generateEndToEndIdentity())));
      const sign = (identity: Identity, name: string) =>
        signIdentityStatement({ socket: socketLabel, name, identity, before: null, atMs: nowMs });
      const tries = await Promise.all(
        names.map(async (name) => {
          const signed = await Promise.all(mine.map((identity) => sign(identity, name)));
          return { name, signed };
        }),
      );
      const outcomes = await Promise.all(
        tries.map(async ({ name, signed }) => {
          const publishing = signed.map((identity, at) => programs[at]?.directory.publish(name, { identity }));
          return (await Promise.allSettled(publishing)).map((each) =>
            each.status === "fulfilled" ? "done" : each.reason.code,
          );
        }),
      );
      for (const [at, { name, signed }] of tries.entries()) {
        const outcome = outcomes[at] ?? [];
        expect(outcome.toSorted()).toEqual(["conflict", "conflict", "conflict", "done"]);
        for (const { history } of await entries(programs, name))
          expect(history).toEqual([signed[outcome.indexOf("done")]]);
      }

      const winner = mine[outcomes[0]?.indexOf("done") ?? -1];
      if (winner === undefined) throw new Error("nobody has the name");
      const prekeys = await Promise.all(
        programs.map(async (_, index) => {
          const suites = await prekeySuites(secureRandom(32));
          const from = nowMs + index;
          const times = { from, until: from + 86_400_000 };
          const whose = { socket: socketLabel, name: "consumer" };
          return signPrekeyStatement(winner, { ...whose, id: secureRandom(8), suites, ...times });
        }),
      );
      const publish = async (prekey: SignedPrekey, index: number) =>
        programs[index]?.directory.publish("consumer", { prekey });
      const newest = prekeys.at(-1);
      if (newest === undefined) throw new Error("nobody has a prekey");
      const expectTheNewest = async () => {
        for (const { prekey } of await entries(programs)) expect(prekey).toEqual(newest);
      };
      const published = await Promise.allSettled(prekeys.map(publish));
      expect(published.at(-1)?.status).toBe("fulfilled");
      // FerretDB may take what two replicas write at once from both, and then the last to come stays.
      if (isAtomic) await expectTheNewest();
      else await publish(newest, prekeys.length - 1);
      for (const [index, prekey] of prekeys.slice(0, -1).entries())
        await expect(publish(prekey, index)).rejects.toMatchObject({ code: "conflict" });
      await expectTheNewest();
    });

    test("another identity that is published at one edge is told at the other: one that the pinned one has signed is sealed to, any other is not", async () => {
      const socket = await makeSocket(world.owner, policy);
      const identity = generateEndToEndIdentity();
      const first = await recipientAt(0, socket, { identity });
      const pinned = first.recipient.fingerprint;
      await first.session.close();
      const second = await recipientAt(0, socket, { identity: generateEndToEndIdentity(), before: identity });
      const bob = await memberAt(1, socket, pinned);
      const [letter] = await Promise.all([
        next(second.session).then((message) => second.recipient.open(message)),
        bob.e2e.send("to whom follows"),
      ]);
      expect(letter?.text()).toBe("to whom follows");
      const change = { name: "consumer", from: pinned };
      const { fingerprint: to, words } = second.recipient;
      expect(bob.changes).toEqual([{ ...change, to, words, vouched: true }]);
      await expect(recipientAt(1, socket, { identity })).rejects.toMatchObject({ code: "conflict" });

      await world.owner.delete(`/v1/sockets/${socket.id}/directory/consumer`);
      const stranger = (await recipientAt(1, socket, { identity: generateEndToEndIdentity() })).recipient;
      const ann = await memberAt(0, socket, pinned);
      await expect(ann.e2e.send("to the first")).rejects.toMatchObject({ code: "untrusted-recipient" });
      const { fingerprint, words: others } = stranger;
      expect(ann.changes).toEqual([{ ...change, to: fingerprint, words: others, vouched: false }]);
    });

    test("a member at one edge and the program at the other go on when each replica of `keys` is killed, and neither bus, stores nor logs have what they say", async () => {
      const socket = await makeSocket(world.owner, policy);
      const said = createCanaries();
      const { session: program, recipient } = await recipientAt(1, socket, { identity: generateEndToEndIdentity() });
      const { session: bob, e2e } = await memberAt(0, socket, recipient.fingerprint);
      for (const killed of [null, "keys-1", "keys-2"]) {
        if (killed !== null) world.replica(killed).kill("SIGKILL");
        const [question, answer] = [said.make("question"), said.make("answer")];
        const [letter] = await Promise.all([
          next(program).then((message) => recipient.open(message)),
          e2e.send(question),
        ]);
        expect([letter?.text(), letter?.missed]).toEqual([question, 0]);
        expect(letter?.sender.fingerprint).toBe(e2e.fingerprint);
        await letter?.sender.reply(answer);
        const opened = await e2e.open(await next(bob));
        expect([opened?.text(), opened?.sender.fingerprint]).toEqual([answer, recipient.fingerprint]);
        // Asked by somebody who comes in now: the replica that is left has the directory as well.
        await comeBack(async () => {
          const ann = await memberAt(1, socket, recipient.fingerprint);
          expect((await ann.e2e.who()).fingerprint).toBe(recipient.fingerprint);
        });
        await world.allReady();
      }
      said.plant("socket", socket.id);
      for (const { recorded } of [world.nats, world.redis, world.mongodb])
        expect(said.in(recorded())).toEqual(["socket (raw)"]);
      said.plant("logged", '"verdict":"accept"');
      expect(said.in(world.logs())).toEqual(["logged (raw)"]);
    }, 60_000);
  });
});

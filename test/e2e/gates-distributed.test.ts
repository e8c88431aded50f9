import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type ConnectOptions, connect, type SessionState, type Waiting } from "@portcullis/client";
import { verifyFactors } from "@portcullis/contracts";
import { parseAppKey } from "@portcullis/crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { environmentOf, readSecrets } from "../../deploy/local/secrets.ts";
import { isBy, json, type Receiver, signed, startReceiver } from "../../libs/runtime/test/support/webhook-receiver.ts";
import { confirmAddress, type Person, person } from "./support/account.ts";
import { createCanaries } from "./support/canaries.ts";
import { type DistributedWorld, startDistributedWorld } from "./support/distributed-world.ts";
import { at, comeBack, denial, read, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeKey, makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";

// One start for all of it: ten processes take their time.
const full = process.env.PORTCULLIS_FULL === "1";
const canaries = createCanaries();
const keeper = sessionKeeper();
let world: DistributedWorld;
let missing: string | null = null;
let anywhere: OwnedSocket;
/** A program of the owner's, which is told and asked. */
let program: Receiver;

const soon = { timeout: 20_000 };
const key = { gate: "key" };
const sessionsOf = async ({ id }: OwnedSocket) =>
  (await world.owner.get<{ sessions: { sid: string }[] }>(`/v1/sockets/${id}/sessions`)).sessions.map(({ sid }) => sid);

function kill(...names: string[]): void {
  for (const name of names) world.replica(name).kill("SIGKILL");
}

async function plantedSocket(policy: object): Promise<OwnedSocket> {
  const socket = await makeSocket(world.owner, policy);
  canaries.plant(`path of ${socket.id}`, new URL(socket.url).pathname.split("/").slice(2).join("/"));
  canaries.plant(`app key of ${socket.id}`, parseAppKey(socket.appKey).secret.slice());
  return socket;
}

/** Comes in at either edge, and back at whichever is there. @returns what it was told, and at which edges it was, in their order */
function entering(socket: OwnedSocket, options: ConnectOptions = {}, url = `${socket.url}?id=bob`) {
  const waits: Waiting[] = [];
  const edges: string[] = [];
  const session = keeper.connect(url, {
    appKey: socket.appKey,
    timeoutMs: 60_000,
    onWait: (each) => void waits.push(each),
    onFrame: (_direction, kind, { edge }) => void (kind === "hello" && edges.push(`${edge}`)),
    ...options,
  });
  session.catch(() => undefined);
  return { session, waits, edges };
}

describe.runIf(full)("gates on two of everything, on real engines", () => {
  beforeAll(async () => {
    const started = await startDistributedWorld({ OUTBOUND_ALLOW: "http://127.0.0.1" });
    if ("missing" in started) missing = started.missing;
    else {
      world = started;
      anywhere = await makeSocket(world.owner, keyOnly);
      canaries.plant("owner's password", world.credentials.password);
      // An address that is not confirmed invites nobody and makes no token.
      const owner = person(world, world.credentials);
      await confirmAddress(owner, await owner.signedIn());
    }
  }, 180_000);
  beforeEach(async ({ skip }) => {
    if (missing !== null) skip(`missing: ${missing}`);
    program = await startReceiver();
    // Whoever was killed by the test before is there again, and no edge shows a hello of theirs.
    await world.allReady();
    for (const edge of world.edges) await comeBack(() => keeper.connect(at(edge, anywhere.url), anywhere));
  });
  afterEach(async () => {
    await keeper.closeAll();
    await program?.close();
  });
  afterAll(async () => {
    if (missing === null) await world?.close();
  }, 60_000);

  describe("a webhook of the owner's", () => {
    /** A socket whose policy speaks to it, which takes a socket to be made on first. */
    async function socketWith(gateOf: (webhook: string) => object) {
      const socket = await plantedSocket({ gates: [key] });
      await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
      const { webhook, secret } = await world.owner.post<{ webhook: { id: string }; secret: string }>(
        `/v1/sockets/${socket.id}/webhooks`,
        { url: program.url, purpose: "test" },
      );
      canaries.plant(`webhook secret of ${socket.id}`, Buffer.from(secret.replace("whsec_", ""), "base64"));
      const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
      const policy = { gates: [key, gateOf(webhook.id)] };
      await world.owner.patch(`/v1/sockets/${socket.id}`, { version, policy });
      return { socket, secret };
    }

    test("external: its word lets in once, at the other edge, whoever of factors was killed while the client waited", async () => {
      const { socket, secret } = await socketWith((webhook) => ({ gate: "external", webhook }));
      const { session, waits, edges } = entering(socket);
      await expect.poll(() => waits.at(-1)?.status, soon).toBe("sent");
      const [delivery] = program.deliveries;
      expect(delivery !== undefined && isBy(secret, delivery)).toBe(true);
      const body = '{"decision":"confirm"}';
      /** As Standard Webhooks has it: the same message again where it was not taken. */
      const say = async (by: string) => {
        const headers = signed(by, body, { id: "msg_1" });
        return (await fetch(String(delivery?.data.callback), { method: "POST", headers, body })).status;
      };
      const before = waits.length;
      kill("factors-1", edges[0] ?? "");
      await expect.poll(() => waits.length, soon).toBeGreaterThan(before);
      expect(await say(`whsec_${Buffer.alloc(32).toString("base64")}`)).not.toBe(204);
      await expect.poll(() => say(secret), soon).toBe(204);
      const { sid, edge, gates } = await session;
      expect(edge).not.toBe(edges[0]);
      expect(gates).toEqual(["key", "external"]);
      expect(await say(secret)).toBe(204);
      expect(await sessionsOf(socket)).toEqual([sid]);
      expect(program.deliveries).toHaveLength(1);
    }, 60_000);

    test("custom: its question stands on at the other edge, and is asked and judged once, by whichever factors is left", async () => {
      const { socket } = await socketWith((webhook) => ({ gate: "question", kind: "custom", webhook }));
      const right = canaries.make("answer");
      program.handle = ({ type, data }, response) =>
        json(response, type.endsWith("ask") ? { prompt: "Which word?" } : { ok: data.answer === right });
      const typed = Promise.withResolvers<void>();
      let asked = 0;
      const question = async () => {
        asked += 1;
        await typed.promise;
        return right;
      };
      const { session, edges } = entering(socket, { answers: { question } });
      await expect.poll(() => asked, soon).toBe(1);
      kill("factors-1", edges[0] ?? "");
      await expect.poll(() => edges.length, soon).toBe(2);
      typed.resolve();
      expect((await session).edge).not.toBe(edges[0]);
      expect(asked).toBe(1);
      const told = program.deliveries.map(({ type, data }) => [type.split(".").at(-1), data.questionId]);
      const id = told[0]?.[1];
      expect(told).toEqual([
        ["ask", id],
        ["judge", id],
      ]);
    }, 60_000);

    test("custom: where its judgement is lost with all of factors, nobody is in before there is another", async () => {
      const { socket } = await socketWith((webhook) => ({ gate: "question", kind: "custom", webhook }));
      const right = canaries.make("answer judged twice");
      let judged = 0;
      let entered = false;
      program.handle = async ({ type, data }, response) => {
        if (type.endsWith("ask")) return json(response, { prompt: "Which word?" });
        judged += 1;
        if (judged === 1) kill("factors-1", "factors-2");
        else expect(entered).toBe(false);
        json(response, { ok: data.answer === right });
      };
      const { session } = entering(socket, { answers: { question: () => right } });
      session.then(
        () => {
          entered = true;
        },
        () => undefined,
      );
      const { sid } = await session;
      expect(judged).toBeGreaterThan(1);
      expect(await sessionsOf(socket)).toEqual([sid]);
    }, 60_000);
  });

  describe("approval", () => {
    test("of two people, between whom the client's edge is killed: the first one's counts on, and the second's lets it in elsewhere", async () => {
      const { owner, ann, socket } = await withApprover();
      const people = [owner, ann] as const;
      const { session, waits, edges } = entering(socket);
      await expect.poll(() => waits.length, soon).toBeGreaterThan(0);
      const number = waits[0]?.number ?? "none";
      const path = `/v1/sockets/${socket.id}/approvals`;
      const listed = async () => {
        const { body } = await owner.get(path, owner.cookie);
        return (body.approvals as { id: string; given: number }[]).map(({ id, given }) => ({ id, given }));
      };
      await expect.poll(listed, soon).toHaveLength(1);
      const id = (await listed())[0]?.id ?? "none";
      const approve = (who: Signed, typed = number) =>
        who.post(`${path}/${id}`, { decision: "approve", number: typed }, who.cookie);
      expect((await approve(people[0])).body).toEqual({ state: "waiting", given: 1, needed: 2 });

      const before = waits.length;
      kill(edges[0] ?? "", "factors-1");
      await expect.poll(() => waits.length > before && waits.at(-1)?.details.given, soon).toBe(1);
      expect(waits.at(-1)?.number).toBe(number);
      await expect.poll(listed, soon).toEqual([{ id, given: 1 }]);
      // Who has approved does not make two of it by the other replica.
      expect((await approve(people[0])).body).toMatchObject({ state: "waiting", given: 1 });
      expect((await approve(people[1], number === "111" ? "222" : "111")).status).toBe(400);
      expect((await approve(people[1])).body.state).toBe("approved");
      const { sid, edge, gates } = await session;
      expect(gates).toEqual(["key", "approval"]);
      expect(edge).not.toBe(edges[0]);
      expect(await sessionsOf(socket)).toEqual([sid]);
    }, 60_000);

    type Signed = Person & { readonly cookie: string };

    async function withApprover() {
      const sign = async (who: Person): Promise<Signed> => {
        return { ...who, cookie: canaries.plant(`cookie of ${who.from}`, await who.signedIn()) };
      };
      const owner = await sign(person(world, world.credentials));
      const stranger = person(world, { password: canaries.make("approver's password") });
      expect((await stranger.signUp()).status).toBe(202);
      const ann = await sign(stranger);
      await confirmAddress(stranger, ann.cookie);
      const gates = [key, { gate: "approval", quorum: 2, notify: "none" }];
      const socket = await plantedSocket({ gates });
      await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
      await world.owner.post(`/v1/sockets/${socket.id}/people`, { email: ann.email, role: "approver" });
      const token = canaries.plant("invitation", await ann.mailed(/You are invited/));
      expect((await ann.post("/v1/invitations/accept", { token }, ann.cookie)).status).toBe(200);
      return { owner, ann, socket };
    }
  });

  describe("a step-up", () => {
    const during = [
      { message: "transfer", gate: "otp" },
      { on: "demand", gate: "otp" },
    ];
    const policy = { gates: [key], resume: "1m", encryption: { session: "required" }, during };

    /** Bob, who is asked again by his authenticator, and ann at the other edge, who hears. */
    async function talking() {
      const socket = await plantedSocket(policy);
      const [bobs, anns] = [await makeMember(world.owner, socket, "bob"), await makeMember(world.owner, socket, "ann")];
      const codes = codesOf(bobs);
      const typed = { wait: Promise.resolve() };
      const states: SessionState[] = [];
      let asked = 0;
      const otp = async () => {
        asked += 1;
        await typed.wait;
        return codes();
      };
      const onState = (state: SessionState) => void states.push(state);
      const bob = await entering(socket, { answers: { otp }, onState }).session;
      const other = world.edges[bob.edge === "edge-1" ? 1 : 0];
      const ann = await keeper.connect(at(other, `${socket.url}?id=ann`), {
        appKey: socket.appKey,
        answers: { otp: codesOf(anns) },
      });
      const heard: string[] = [];
      void (async () => {
        for await (const message of ann) heard.push(message.text());
      })().catch(() => undefined);
      return { socket, bob, heard, typed, is: () => states.map((state) => state.is), asked: () => asked };
    }

    /** No code counts twice: each comes from another time step, and none may be far ahead. */
    function codesOf(app: Authenticator): () => string {
      canaries.plant(`authenticator ${canaries.names.length}`, app.secret.bytes);
      let lastMs = Date.now() - 60_000;
      return () => {
        lastMs = app.nextStepMs(lastMs);
        return canaries.plant(`code ${canaries.names.length}`, app.code(lastMs));
      };
    }

    test.for([
      { by: "a message", of: "all of keys", victims: ["keys-1", "keys-2"] },
      { by: "the owner", of: "its edge, keys-1 and identity-1", victims: ["its edge", "keys-1", "identity-1"] },
    ])(
      "that $by asks for outlives kill -9 of $of, and what waits for it is heard once, behind it and in its place",
      { timeout: 60_000 },
      async ({ by, victims }) => {
        const { socket, bob, heard, typed, is, asked } = await talking();
        await bob.send("first");
        await expect.poll(() => heard, soon).toEqual(["first"]);
        const answering = Promise.withResolvers<void>();
        typed.wait = answering.promise;
        const texts = ["a transfer", "behind it"].map((text) => canaries.make(`${text} ${by}`));
        if (by === "the owner") {
          const demanded = await world.owner.post(`/v1/sockets/${socket.id}/sessions/${bob.sid}/step-up`, {});
          expect(demanded).toEqual({ asked: true });
          await expect.poll(asked, soon).toBe(2);
        }
        const kind = by === "a message" ? { class: "transfer" } : {};
        const sent = Promise.all([bob.send(texts[0] ?? "", kind), bob.send(texts[1] ?? "")]);
        await expect.poll(asked, soon).toBe(2);
        kill(...victims.map((name) => (name === "its edge" ? bob.edge : name)));
        await sleep(500);
        expect(heard).toEqual(["first"]);
        answering.resolve();
        await sent;
        await expect.poll(() => heard, soon).toEqual(["first", ...texts]);
        await expect.poll(is, soon).toContain("stepped-up");
        expect(asked()).toBe(2);
      },
    );

    test("without identity nobody passes it and nothing that waits is let go; when it is back, it goes on", async () => {
      const { bob, heard, typed, is, asked } = await talking();
      const answering = Promise.withResolvers<void>();
      typed.wait = answering.promise;
      const said = canaries.make("said without identity");
      const identities = ["identity-1", "identity-2"].map((name) => world.replica(name));
      // Gone: whoever asks it hears so at once.
      for (const replica of identities) replica.kill("SIGKILL");
      const sent = bob.send(said, { class: "transfer" });
      await sleep(900);
      expect(heard).toEqual([]);
      await expect.poll(asked, soon).toBe(2);
      await world.allReady();
      // And standing still: whoever asks it hears nothing.
      for (const replica of identities) replica.kill("SIGSTOP");
      try {
        answering.resolve();
        await sleep(2_500);
        expect([heard, is().includes("stepped-up")]).toEqual([[], false]);
      } finally {
        for (const replica of identities) replica.kill("SIGCONT");
      }
      await sent;
      await expect.poll(() => heard, soon).toEqual([said]);
      await expect.poll(is, soon).toContain("stepped-up");
    }, 60_000);
  });

  describe("another identity key", () => {
    const rotate = async (): Promise<string> => {
      const file = join(import.meta.dirname, "../../services/keys/src/rotate.ts");
      const { nats, redis, mongodb, dataDir } = world;
      const engines = { NATS_URL: nats.url, REDIS_URL: redis.url, MONGODB_URL: mongodb.url };
      const env = { ...environmentOf("keys", await readSecrets(dataDir)), ...engines };
      const { stdout } = await promisify(execFile)(process.execPath, [file, "--overlap-days", "7"], { env });
      return /^now {4}(\S+)$/m.exec(stdout)?.[1] ?? "none";
    };

    test("while clients come in: who pins the key before is led to it at every edge, and sessions go on over it", async () => {
      const sealed = { encryption: { session: "required" }, messaging: { history: { messages: 10 } } };
      const socket = await plantedSocket({ ...keyOnly, ...sealed, resume: "1m" });
      const before = socket.appKey.split(".").at(-1) ?? "";
      const states: string[] = [];
      const onState = ({ is }: SessionState) => void states.push(is);
      const [speaks, listens] = [
        await entering(socket, { onState }, socket.url).session,
        await entering(socket, {}, socket.url).session,
      ];

      const met: string[] = [];
      const refused: unknown[] = [];
      let knocks = true;
      const knocking = world.edges.map(async (edge) => {
        while (knocks) {
          const enter = connect(at(edge, socket.url), { appKey: socket.appKey, timeoutMs: 15_000 });
          await enter.then(
            async (session) => {
              const { fingerprint, successorOf, pinned } = session.server;
              met.push(`${session.edge} ${fingerprint} ${successorOf} ${pinned}`);
              await session.close();
            },
            (error: unknown) => {
              // An edge that was killed and is not back.
              if (!(error instanceof Error && "retryable" in error && error.retryable === true)) refused.push(error);
            },
          );
          await sleep(200);
        }
      });
      try {
        await expect
          .poll(() => new Set(met), soon)
          .toEqual(new Set([`edge-1 ${before} null true`, `edge-2 ${before} null true`]));
        const now = await rotate();
        // A new app key must not pin what an edge does not show yet.
        expect((await makeKey(world.owner, socket.id)).appKey.split(".").at(-1)).toBe(before);
        // An edge shows the bundle that it has for half a minute; one that starts gets another.
        kill("edge-1");
        await expect.poll(() => met, soon).toContain(`edge-1 ${now} ${before} true`);
        kill("edge-2");
        await expect.poll(() => met, soon).toContain(`edge-2 ${now} ${before} true`);
        expect(new Set(met)).toEqual(
          new Set(
            ["edge-1", "edge-2"].flatMap((edge) => [`${edge} ${before} null true`, `${edge} ${now} ${before} true`]),
          ),
        );
        // One that pins neither is not led anywhere.
        const stranger = `${socket.appKey.slice(0, -before.length)}${"A".repeat(before.length)}`;
        await expect(connect(socket.url, { appKey: stranger })).rejects.toMatchObject({ code: "untrusted-server" });
      } finally {
        knocks = false;
        await Promise.all(knocking);
      }
      expect(refused).toEqual([]);
      await speaks.send("over another key");
      expect(await read(listens, 1)).toEqual(["over another key"]);
      expect(states).toContain("resumed");
    }, 90_000);
  });

  describe("a one-time ticket", () => {
    test.for([
      ["of the owner's backend", 200],
      ["for a passphrase", 20],
    ] as const)(
      "%s, that is presented %i times at once over two edges, lets one in",
      { timeout: 60_000 },
      async ([how, times]) => {
        const socket = await plantedSocket({ before: { ticket: "required" }, gates: [key], resume: "off" });
        const passphrase = canaries.make(`passphrase ${how}`);
        await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", passphrase });
        const ticket = await (how === "for a passphrase" ? bySocketPage(socket, passphrase) : byToken(socket));
        canaries.plant(`ticket ${how}`, ticket);
        canaries.plant(`secret of ticket ${how}`, ticket.split(".").at(-1) ?? ticket);
        const present = (n: number) =>
          keeper.connect(at(world.edges[n % 2], `${socket.url}?id=bob`), {
            appKey: socket.appKey,
            ticket,
            comeBack: false,
            timeoutMs: 30_000,
          });
        const outcomes = await Promise.allSettled(Array.from({ length: times }, (_, n) => present(n)));
        const winners = outcomes.flatMap((one) => (one.status === "fulfilled" ? [one.value.sid] : []));
        expect(winners).toHaveLength(1);
        // Two hundred at once may be too much for a small machine: who is told to come back is not in either.
        for (const one of outcomes)
          if (one.status === "rejected" && one.reason.retryable !== true) expect(one.reason).toMatchObject(denial);
        expect(await sessionsOf(socket)).toEqual(winners);
        await expect(present(0)).rejects.toMatchObject(denial);
      },
    );

    async function byToken(socket: OwnedSocket): Promise<string> {
      const { password } = world.credentials;
      const { secret } = await world.owner.post<{ secret: string }>("/v1/account/tokens", { label: "b", password });
      canaries.plant("API token", secret);
      return minted(`${world.url}/v1/sockets/${socket.id}/tickets`, { member: "bob" }, secret);
    }
    const bySocketPage = (socket: OwnedSocket, passphrase: string) =>
      minted(socket.url.replace(/^ws/, "http"), { id: "bob", passphrase });

    async function minted(url: string, body: object, token?: string): Promise<string> {
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const headers = { "content-type": "application/json", ...authorization };
      const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
      return ((await answer.json()) as { ticket?: string }).ticket ?? `none: ${answer.status}`;
    }
  });

  // Last: it looks at what all of the above left behind.
  test("no planted secret crossed the bus or lies in a store, a trace or a log", async () => {
    // Exporters send what they have about once a second, each for itself.
    await sleep(2_000);
    const exported = Buffer.concat(world.otlp.requests.map(({ body }) => body));
    const places = [
      ["bus", world.nats.recorded(), verifyFactors.name],
      ["redis", world.redis.recorded(), "keys:parked:"],
      ["mongodb", world.mongodb.recorded(), anywhere.id],
      ["logs", world.logs(), '"verdict":"accept"'],
      ["traces", exported, verifyFactors.name],
    ] as const;
    const none = Object.fromEntries(places.map(([where]) => [where, []]));
    expect(Object.fromEntries(places.map(([where, bytes]) => [where, canaries.in(bytes)]))).toEqual(none);
    // The search works, and these are the bytes.
    for (const [where, bytes, known] of places) expect(bytes.includes(known), where).toBe(true);
    expect(canaries.names.length).toBeGreaterThan(40);
  });
});

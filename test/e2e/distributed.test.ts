import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { PortcullisError, type Session, type Waiting } from "@portcullis/client";
import { type ServiceName, verifyFactors } from "@portcullis/contracts";
import { parseAppKey } from "@portcullis/crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { createCanaries } from "./support/canaries.ts";
import { type DistributedWorld, startDistributedWorld } from "./support/distributed-world.ts";
import { at, comeBack, denial, read, sessionKeeper } from "./support/sessions.ts";
import { keyAndOtp, keyOnly, makeKey, makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";

// One start for all of it: ten processes take their time.
const startMsMax = 180_000;
const full = process.env.PORTCULLIS_FULL === "1";
const canaries = createCanaries();
const keeper = sessionKeeper();
let world: DistributedWorld;
let missing: string | null = null;

beforeAll(async () => {
  const started = await startDistributedWorld();
  if ("missing" in started) {
    missing = started.missing;
    console.warn(`distributed form: skipped, because these cannot be had here: ${missing}`);
  } else world = started;
}, startMsMax);
beforeEach(({ skip }) => {
  if (missing !== null) skip(`missing: ${missing}`);
});
afterEach(() => keeper.closeAll());
afterAll(async () => {
  if (missing === null) await world?.close();
}, 60_000);

const now = () => Date.now();
const wrong = () => "no code";
const liveSessions = async ({ id }: OwnedSocket) =>
  (await world.owner.get<{ sessions: { sid: string; edge: string; member: string }[] }>(`/v1/sockets/${id}/sessions`))
    .sessions;

/** A member whose secrets are looked for when all else is done. */
async function plantedMember(socket: OwnedSocket, name: string): Promise<Authenticator> {
  const app = await makeMember(world.owner, socket, name);
  canaries.plant(`authenticator of ${name} on ${socket.id}`, app.secret.bytes);
  return app;
}

function plantedCode(app: Authenticator, atMs: number): string {
  return canaries.plant(`code ${canaries.names.length}`, app.code(atMs));
}

async function plantedSocket(policy: object = keyAndOtp): Promise<OwnedSocket> {
  const socket = await makeSocket(world.owner, policy);
  canaries.plant(`path of ${socket.id}`, new URL(socket.url).pathname.split("/").slice(2).join("/"));
  canaries.plant(`app key of ${socket.id}`, parseAppKey(socket.appKey).secret.slice());
  return socket;
}

const linkIn = (text = "") => /https?:\/\/\S+\/confirm\/\S+/.exec(text)?.[0] ?? "no link";
const submit = (link: string, number: string) => fetch(link, { method: "POST", body: new URLSearchParams({ number }) });

/** A client that waits for somebody to open the link of a mail. */
async function waiting() {
  const socket = await plantedSocket({ gates: [{ gate: "key" }, { gate: "email", by: "link" }] });
  const email = `${canaries.make("waiting contact")}@example.com`;
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", contacts: { email } });
  const waits: Waiting[] = [];
  const edges: string[] = [];
  const entering = keeper.connect(`${socket.url}?id=bob`, {
    appKey: socket.appKey,
    // Through all that a test does meanwhile.
    timeoutMs: 150_000,
    onWait: (each) => void waits.push(each),
    onFrame: (_direction, kind, { edge }) => void (kind === "hello" && edges.push(`${edge}`)),
  });
  entering.catch(() => undefined);
  await expect.poll(() => waits.at(-1)?.status, { timeout: 10_000 }).toBe("sent");
  const [link] = (await world.sentTo(email)).map(linkIn);
  const token = link?.split("/").at(-1) ?? "";
  canaries.plant(`link ${canaries.names.length}`, token);
  return { socket, email, waits, edges, entering, link: link ?? "", number: waits[0]?.number ?? "" };
}

describe("the main job over all processes", () => {
  test("two members come in at different edges through one address, and hear each other", async () => {
    const socket = await plantedSocket();
    const join = async (name: string) => {
      const app = await plantedMember(socket, name);
      const otp = () => plantedCode(app, now());
      return keeper.connect(`${socket.url}?id=${name}`, { appKey: socket.appKey, answers: { otp } });
    };
    const [bob, ann] = [await join("bob"), await join("ann")];
    expect([bob.edge, ann.edge].sort()).toEqual(["edge-1", "edge-2"]);
    expect(bob.assurance).toEqual({ key: true, memberBound: true, gates: ["otp"] });
    await bob.send(canaries.make("message"));
    expect(await read(ann, 1)).toHaveLength(1);
    await ann.send("and back");
    expect(await read(bob, 1)).toEqual(["and back"]);
  });

  test("impostors stay out: a wrong key, a wrong code, an unknown path", async () => {
    const socket = await plantedSocket();
    const other = await makeSocket(world.owner);
    const app = await plantedMember(socket, "bob");
    const right = { appKey: socket.appKey, answers: { otp: () => app.code(now()) } };
    const url = `${socket.url}?id=bob`;
    await expect(keeper.connect(url, { ...right, appKey: other.appKey })).rejects.toMatchObject(denial);
    await expect(keeper.connect(url, { ...right, answers: { otp: wrong } })).rejects.toMatchObject(denial);
    await expect(keeper.connect(url.replace("?", "x?"), right)).rejects.toMatchObject(denial);
    await keeper.connect(url, right);
  });

  test("a code that was used at one edge is refused at the other, and of many at once one gets in", async () => {
    const socket = await plantedSocket();
    const app = await plantedMember(socket, "bob");
    const code = plantedCode(app, now());
    const present = (edge: string, value: string) =>
      keeper.connect(at(edge, `${socket.url}?id=bob`), {
        appKey: socket.appKey,
        offer: [{ gate: "otp", value }],
        answers: { otp: () => null },
      });
    const [one = "", two = ""] = world.edges;
    await present(one, code);
    await expect(present(two, code)).rejects.toMatchObject({ code: "cancelled" });
    const next = plantedCode(app, now() + 30_000);
    const tries = await Promise.allSettled([one, two, one, two, one, two].map((edge) => present(edge, next)));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("a kick reaches the other edge under seal, a revoked key all edges, and neither comes back", async () => {
    const socket = await plantedSocket(keyOnly);
    const kept = await makeKey(world.owner, socket.id);
    const [one = "", two = ""] = world.edges;
    const first = await keeper.connect(at(one, socket.url), socket);
    const second = await keeper.connect(at(two, socket.url), socket);
    const stays = await keeper.connect(at(two, socket.url), kept);
    await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${second.sid}`);
    expect(await second.closed).toMatchObject({ reason: "revoked", sealed: true, what: "kicked", code: 4504 });
    const third = await keeper.connect(at(two, socket.url), socket);
    await world.owner.delete(`/v1/sockets/${socket.id}/keys/${socket.keyId}`);
    for (const session of [first, third])
      expect(await session.closed).toMatchObject({ reason: "revoked", sealed: true, what: "key-revoked", code: 4504 });
    for (const edge of [one, two])
      await expect(keeper.connect(at(edge, socket.url), socket)).rejects.toMatchObject(denial);
    expect((await liveSessions(socket)).map(({ sid }) => sid)).toEqual([stays.sid]);
  });

  test("a session that runs out learns it under seal, at either edge, and is heard no more", async () => {
    const socket = await plantedSocket({ ...keyOnly, session: "2s" });
    const sessions = await Promise.all(world.edges.map((edge) => keeper.connect(at(edge, socket.url), socket)));
    const [speaks, listens] = sessions;
    await speaks?.send("in time");
    expect(listens === undefined ? [] : await read(listens, 1)).toEqual(["in time"]);
    for (const session of sessions) {
      expect(await session.closed).toMatchObject({ reason: "revoked", sealed: true, what: "expired", code: 4003 });
      expect(now()).toBeGreaterThanOrEqual(session.expiresAt);
    }
    expect(await liveSessions(socket)).toEqual([]);
  });
});

describe("a trace", () => {
  test("is one for a whole handshake, over edge, keys, identity and factors, and is one per handshake", async () => {
    const socket = await plantedSocket();
    const apps = { ann: await plantedMember(socket, "ann"), bob: await plantedMember(socket, "bob") };
    const before = new Set(world.otlp.spans.map(({ traceId }) => traceId));
    const enter = (name: "ann" | "bob", edge: string | undefined) => {
      const codes = ["no code", plantedCode(apps[name], now())];
      return keeper.connect(at(edge, `${socket.url}?id=${name}`), {
        appKey: socket.appKey,
        answers: { otp: () => codes.shift() ?? null },
      });
    };
    await Promise.all([enter("ann", world.edges[0]), enter("bob", world.edges[1])]);

    const needed: ServiceName[] = ["edge", "keys", "identity", "factors"];
    const verified = (traceId: string) =>
      world.otlp.spans.filter(
        (span) => span.traceId === traceId && span.name === verifyFactors.name && span.service === "factors",
      ).length;
    const handshakes = () =>
      [...Map.groupBy(world.otlp.spans, ({ traceId }) => traceId)].filter(
        ([traceId, spans]) =>
          !before.has(traceId) &&
          needed.every((service) => spans.some((span) => span.service === service)) &&
          spans.some(({ name, service }) => service === "edge" && name === "handshake") &&
          verified(traceId) === 2,
      );
    const roots = () =>
      handshakes().map(([, spans]) => {
        const ids = new Set(spans.map(({ spanId }) => spanId));
        return spans.filter(({ parentSpanId }) => !ids.has(parentSpanId)).map(({ name }) => name);
      });
    // Exporters send what they have about once a second, each for itself.
    await expect.poll(roots, { timeout: 15_000 }).toEqual([["handshake"], ["handshake"]]);
    // No verification happened outside of them.
    const [one, two] = handshakes().map(([traceId]) => traceId);
    const strays = world.otlp.spans.filter(
      ({ name, traceId }) => name === verifyFactors.name && !before.has(traceId) && traceId !== one && traceId !== two,
    );
    expect(strays).toEqual([]);
  }, 40_000);
});

describe.runIf(full)("kill -9 of a replica in the middle of handshakes", () => {
  const honest = 5;

  test.for(["keys", "identity", "factors"] as const)(
    "of %s lets nobody in wrongly, and the others go on with what it left",
    { timeout: 60_000 },
    async (service) => {
      const socket = await plantedSocket();
      const names = Array.from({ length: honest }, (_, n) => `member${n}`);
      const apps = new Map<string, Authenticator>();
      for (const name of [...names, "impostor"]) apps.set(name, await plantedMember(socket, name));
      const victim = world.replica(`${service}-1`);
      const pid = victim.pid();

      const release = Promise.withResolvers<void>();
      let waiting = 0;
      const attempts = new Map<string, Promise<Session>>();
      for (const name of apps.keys()) {
        const otp = async ({ retry }: { readonly retry: boolean }) => {
          if (!retry) waiting += 1;
          await release.promise;
          return name === "impostor" ? wrong() : (apps.get(name)?.code(now()) ?? null);
        };
        const attempt = keeper.connect(`${socket.url}?id=${name}`, { appKey: socket.appKey, answers: { otp } });
        attempt.catch(() => undefined);
        attempts.set(name, attempt);
      }
      await expect.poll(() => waiting, { timeout: 10_000 }).toBe(apps.size);
      release.resolve();
      victim.kill("SIGKILL");

      const entered: string[] = [];
      for (const [name, attempt] of attempts) {
        const outcome = await attempt.then(
          () => null,
          (error: unknown) => error,
        );
        if (outcome === null) entered.push(name);
        else if (name !== "impostor") {
          expect(outcome).toBeInstanceOf(PortcullisError);
          expect(outcome).toMatchObject({ retryable: true });
        }
      }
      expect(entered).not.toContain("impostor");
      // What was lost is at most what the dead replica had in its hands.
      expect(entered.length).toBeGreaterThan(0);
      const live = (await liveSessions(socket)).map(({ member }) => member);
      expect(live).not.toContain("impostor");
      expect(live).toEqual(expect.arrayContaining(entered));

      // Whoever was told to come back gets in: with the next code, since the last one may have been used up.
      for (const name of names.filter((one) => !entered.includes(one))) {
        const otp = ({ retry }: { readonly retry: boolean }) =>
          apps.get(name)?.code(now() + (retry ? 0 : 30_000)) ?? null;
        await comeBack(() => keeper.connect(`${socket.url}?id=${name}`, { appKey: socket.appKey, answers: { otp } }));
      }
      await world.allReady();
      expect(victim.pid()).not.toBe(pid);
      await everyEdgeWorks();
    },
  );

  test("of all that know the keys of hellos costs each edge one of them, no more", async () => {
    for (const name of ["keys-1", "keys-2"]) world.replica(name).kill("SIGKILL");
    await expect.poll(async () => (await world.readiness(world.replica("keys-2"))).status, { timeout: 10_000 }).toBe(0);
    await world.allReady();
    expect(await everyEdgeWorks()).toBeLessThanOrEqual(world.edges.length);
  }, 30_000);
});

describe.runIf(full)("kill -9 while a client waits for somebody", () => {
  test("of its edge: it goes on at the same gate on the other one, and nobody is sent anything twice", async () => {
    const one = await waiting();
    const victim = one.edges[0] ?? "";
    const before = one.waits.length;
    world.replica(victim).kill("SIGKILL");
    await expect.poll(() => one.waits.length, { timeout: 20_000 }).toBe(before + 1);
    expect(one.waits.at(-1)).toMatchObject({ number: one.number, status: "sent" });
    expect((await submit(one.link, one.number)).status).toBe(200);
    const session = await one.entering;
    expect(session.edge).not.toBe(victim);
    expect(await world.sentTo(one.email)).toHaveLength(1);
    expect((await liveSessions(one.socket)).map(({ sid }) => sid)).toEqual([session.sid]);
    await world.allReady();
  }, 60_000);

  test("of identity, notify, factors and keys, one after the other: it is let in the moment that it is confirmed", async () => {
    const one = await waiting();
    for (const name of ["identity-1", "notify-1", "factors-1", "keys-1"]) world.replica(name).kill("SIGKILL");
    // The other replica of each, or what comes up in the place of the only one.
    await expect
      .poll(async () => (await submit(one.link, one.number)).status, { timeout: 30_000, interval: 500 })
      .toBe(200);
    const session = await one.entering;
    expect(session.gates).toEqual(["key", "email"]);
    await world.allReady();
    expect(await world.sentTo(one.email)).toHaveLength(1);
    await everyEdgeWorks();
  }, 90_000);

  test("of the edge, and confirmed before the client is back: it finds the door open", async () => {
    const one = await waiting();
    for (const name of ["edge-1", "edge-2"]) world.replica(name).kill("SIGKILL");
    expect((await submit(one.link, one.number)).status).toBe(200);
    const session = await one.entering;
    await expect.poll(async () => (await liveSessions(one.socket)).map(({ sid }) => sid)).toEqual([session.sid]);
    await world.allReady();
    expect(await world.sentTo(one.email)).toHaveLength(1);
  }, 90_000);
});

describe.runIf(full)("kill -9 while sealed messages flow", () => {
  const sealed = {
    ...keyOnly,
    encryption: { session: "required" },
    messaging: { history: { messages: 200 } },
    resume: "1m",
  };

  /** Says so many, one after the other, and goes on whatever happens meanwhile. */
  async function speak(session: Session, texts: readonly string[]) {
    for (const text of texts) {
      await session.send(text);
      await sleep(10);
    }
  }

  test.for([["edge-1"], ["keys-1"], ["identity-1"], ["edge-2", "keys-2"]])(
    "of %s: everybody hears everything, once, in one order",
    { timeout: 60_000 },
    async (victims) => {
      const socket = await plantedSocket(sealed);
      const states: string[] = [];
      const join = () =>
        keeper.connect(socket.url, { appKey: socket.appKey, onState: ({ is }) => void states.push(is) });
      await everyEdgeWorks();
      const [one, two, ...listeners] = [await join(), await join(), await join(), await join()];
      const texts = (name: string) => {
        const canary = canaries.make(`${name} ${canaries.names.length}`);
        return Array.from({ length: 100 }, (_, n) => `${canary} ${n}`);
      };
      const [said, answered] = [texts("said"), texts("answered")];
      const speaking = [speak(one, said), speak(two, answered)];
      await sleep(300);
      for (const name of victims) world.replica(name).kill("SIGKILL");
      await Promise.all(speaking);
      const heard = await Promise.all(listeners.map((each) => read(each, said.length + answered.length)));
      expect(heard[0]).toEqual(heard[1]);
      expect(heard[0]?.filter((text) => said.includes(text))).toEqual(said);
      expect(heard[0]?.filter((text) => answered.includes(text))).toEqual(answered);
      expect(states).not.toContain("gap");
      if (victims.some((name) => name.startsWith("edge"))) expect(states).toContain("resumed");
      const sids = [one, two, ...listeners].map(({ sid }) => sid);
      expect((await liveSessions(socket)).map(({ sid }) => sid).toSorted()).toEqual(sids.toSorted());
      await world.allReady();
    },
  );
});

describe.runIf(full)("a rolling restart of everything, under load", () => {
  const sealed = {
    ...keyOnly,
    encryption: { session: "required" },
    messaging: { history: { messages: 250 } },
    resume: "1m",
  };

  /** Knocks again and again until it is told to stop. */
  function knocking(enter: () => Promise<Session>) {
    let stopped = false;
    const seen = { entered: 0, retryable: 0, final: [] as unknown[] };
    const done = (async () => {
      while (!stopped) {
        try {
          const session = await enter();
          seen.entered += 1;
          await session.close();
        } catch (error) {
          if (error instanceof PortcullisError && error.retryable) seen.retryable += 1;
          else seen.final.push(error);
        }
        await sleep(100);
      }
    })();
    return {
      seen,
      async stop() {
        stopped = true;
        await done;
      },
    };
  }

  test("lets nobody in who should not be, loses no wait and no message, and every session goes on", {
    timeout: 150_000,
  }, async () => {
    await everyEdgeWorks();
    const [chat, quick] = [await plantedSocket(sealed), await plantedSocket(keyOnly)];
    const stranger = await makeSocket(world.owner, keyOnly);
    const states: string[] = [];
    const join = () => keeper.connect(chat.url, { appKey: chat.appKey, onState: ({ is }) => void states.push(is) });
    const [speaker, ...listeners] = [await join(), await join(), await join()];
    const waits = [await waiting(), await waiting()];
    const honest = knocking(() => keeper.connect(quick.url, { appKey: quick.appKey, timeoutMs: 20_000 }));
    const impostor = knocking(() => keeper.connect(quick.url, { appKey: stranger.appKey, timeoutMs: 20_000 }));
    const said: string[] = [];
    let speaks = true;
    const speaking = (async () => {
      while (speaks) {
        said.push(`${said.length}`);
        await speaker.send(said.at(-1) ?? "");
        await sleep(100);
      }
    })();
    // It is awaited below, unless something else fails before.
    speaking.catch(() => undefined);

    for (const replica of world.replicas) {
      const pid = replica.pid();
      replica.kill("SIGTERM");
      await expect.poll(() => replica.pid(), { timeout: 20_000 }).not.toBe(pid);
      await world.allReady();
      // One of the waits is confirmed in the midst of it.
      const [first] = waits;
      if (replica.name === "identity-1" && first !== undefined) {
        expect((await submit(first.link, first.number)).status).toBe(200);
        expect((await first.entering).gates).toEqual(["key", "email"]);
      }
    }
    const [, last] = waits;
    expect((await submit(last?.link ?? "", last?.number ?? "")).status).toBe(200);
    expect((await last?.entering)?.gates).toEqual(["key", "email"]);
    for (const { email } of waits) expect(await world.sentTo(email)).toHaveLength(1);

    speaks = false;
    await speaking;
    await Promise.all([honest.stop(), impostor.stop()]);
    expect(said.length).toBeGreaterThan(50);
    for (const listener of listeners) expect(await read(listener, said.length)).toEqual(said);
    expect(states).toContain("resumed");
    expect(states).not.toContain("gap");
    const sids = [speaker, ...listeners].map(({ sid }) => sid);
    expect((await liveSessions(chat)).map(({ sid }) => sid).toSorted()).toEqual(sids.toSorted());

    expect(impostor.seen.entered).toBe(0);
    expect(honest.seen.final).toEqual([]);
    expect(honest.seen.entered).toBeGreaterThan(honest.seen.retryable);
    for (const error of impostor.seen.final) expect(error).toMatchObject(denial);
  });
});

async function everyEdgeWorks(): Promise<number> {
  const socket = await makeSocket(world.owner, keyOnly);
  let failures = 0;
  for (const edge of world.edges) failures += await comeBack(() => keeper.connect(at(edge, socket.url), socket));
  return failures;
}

describe.runIf(full)("an engine that is lost in flight", () => {
  test.for(["redis", "mongodb"] as const)(
    "%s: nobody is let in, /readyz names it, nothing crashes, sessions go on, and then it works again",
    { timeout: 60_000 },
    async (engine) => {
      const socket = await plantedSocket();
      const app = await plantedMember(socket, "bob");
      const open = await plantedSocket(keyOnly);
      const [one, two] = [
        await keeper.connect(at(world.edges[0], open.url), open),
        await keeper.connect(at(world.edges[1], open.url), open),
      ];
      const pids = world.replicas.map((replica) => replica.pid());
      const otp = () => app.code(now());
      const enter = () =>
        keeper.connect(`${socket.url}?id=bob`, {
          appKey: socket.appKey,
          answers: { otp },
          timeoutMs: 20_000,
          comeBack: false,
        });
      let cut = false;
      const underWay = keeper.connect(`${socket.url}?id=bob`, {
        appKey: socket.appKey,
        comeBack: false,
        answers: {
          async otp() {
            await world[engine].cut();
            cut = true;
            return "no code";
          },
        },
      });
      await expect(underWay).rejects.toMatchObject({ retryable: true });
      expect(cut).toBe(true);
      await expect(enter()).rejects.toMatchObject({ name: "PortcullisError", retryable: true });
      await expect
        .poll(() => world.readiness(world.replica("identity-1")), { timeout: 10_000 })
        .toMatchObject({
          status: 503,
          text: expect.stringContaining(engine),
        });
      await one.send("we go on");
      expect(await read(two, 1)).toEqual(["we go on"]);

      await world[engine].mend();
      await world.allReady();
      await expect.poll(() => enter().then(({ member }) => member), { timeout: 15_000, interval: 300 }).toBe("bob");
      expect(world.replicas.map((replica) => replica.pid())).toEqual(pids);
      await two.send("still");
      expect(await read(one, 1)).toEqual(["still"]);
    },
  );
});

describe.runIf(full)("NATS that is lost in flight", () => {
  test("nobody is let in, /readyz of all names it, sessions stay or may come back, and then it works again", async () => {
    const socket = await plantedSocket();
    const app = await plantedMember(socket, "bob");
    const open = await plantedSocket(keyOnly);
    const [speaks, listens, other] = [
      await keeper.connect(at(world.edges[0], open.url), open),
      await keeper.connect(at(world.edges[1], open.url), open),
      await keeper.connect(at(world.edges[1], open.url), open),
    ];
    const pids = world.replicas.map((replica) => replica.pid());
    const code = plantedCode(app, now());
    const enter = (otp: () => string | Promise<string>, edge?: string) =>
      keeper.connect(edge === undefined ? `${socket.url}?id=bob` : at(edge, `${socket.url}?id=bob`), {
        appKey: socket.appKey,
        answers: { otp },
        comeBack: false,
      });
    const underWay = enter(async () => {
      await world.nats.cut();
      return code;
    });
    await expect(underWay).rejects.toMatchObject({ code: "unavailable", retryable: true, closeCode: 4001 });
    const startedMs = performance.now();
    for (const edge of world.edges)
      await expect(enter(() => code, edge)).rejects.toMatchObject({ code: "unavailable", closeCode: 4001 });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    for (const replica of world.replicas)
      await expect
        .poll(() => world.readiness(replica), { timeout: 5_000, message: replica.name })
        .toMatchObject({ status: 503, text: expect.stringContaining('"nats"') });
    // What cannot be delivered is not swallowed: its sender is told to come back.
    await speaks.send("into nothing");
    expect(await speaks.closed).toMatchObject({ code: 4001, sealed: false });

    await world.nats.mend();
    await world.allReady();
    await comeBack(() => enter(() => plantedCode(app, now() + 30_000)));
    expect((await liveSessions(socket)).map(({ member }) => member)).toEqual(["bob"]);
    expect(world.replicas.map((replica) => replica.pid())).toEqual(pids);
    await other.send("still");
    expect(await read(listens, 1)).toEqual(["still"]);
  }, 60_000);
});

describe("no planted secret is left behind", () => {
  test("in traces, in what the stores were sent, or in a log", async () => {
    const socket = await plantedSocket();
    const phone = canaries.plant("phone", `49${randomInt(1e9, 9e9)}${randomInt(10, 99)}`);
    const marker = `member${randomBytes(8).toString("hex")}`;
    await world.owner.post(`/v1/sockets/${socket.id}/members`, {
      name: marker,
      passphrase: canaries.make("passphrase"),
      contacts: { email: `${canaries.make("e-mail")}@example.com`, phone: `+${phone}` },
    });
    const url = `${socket.url}?id=${marker}`;
    await keeper.connect(url.replace("?", `/${canaries.make("stray path")}?`), socket).catch(() => undefined);
    const app = await plantedMember(socket, "bob");
    const codes = [canaries.make("wrong code"), plantedCode(app, now())];
    await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      answers: { otp: () => codes.shift() ?? null },
    });
    const spans = world.otlp.spans.length;
    await expect.poll(() => world.otlp.spans.length, { timeout: 10_000 }).toBeGreaterThan(spans);
    // Metrics go out once a minute, and when a process ends.
    for (const name of ["edge-1", "keys-1", "identity-1", "factors-1"]) world.replica(name).kill("SIGTERM");
    const paths = () => new Set(world.otlp.requests.map(({ path }) => path));
    await expect.poll(paths, { timeout: 10_000 }).toEqual(new Set(["/v1/traces", "/v1/metrics"]));

    const known = createCanaries();
    known.plant("known", marker);
    expect(canaries.in(world.mongodb.recorded())).toEqual([]);
    expect(known.in(world.mongodb.recorded())).toEqual(["known (raw)"]);

    known.plant("known", socket.id);
    expect(canaries.in(world.redis.recorded())).toEqual([]);
    expect(known.in(world.redis.recorded())).toEqual(["known (raw)"]);

    known.plant("known", verifyFactors.name);
    expect(canaries.in(world.nats.recorded())).toEqual([]);
    expect(known.in(world.nats.recorded())).toEqual(["known (raw)"]);

    known.plant("known", '"verdict":"accept"');
    expect(canaries.in(world.logs())).toEqual([]);
    expect(known.in(world.logs())).toEqual(["known (raw)"]);

    known.plant("known", verifyFactors.name);
    const exported = Buffer.concat(world.otlp.requests.map(({ body }) => body));
    expect(canaries.in(exported)).toEqual([]);
    expect(known.in(exported)).toEqual(["known (raw)"]);
    expect(canaries.names.length).toBeGreaterThan(20);
  }, 30_000);
});

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, connectConsumer, type Session } from "@portcullis/client";
import { placedMessage } from "@portcullis/contracts";
import { parseAppKey } from "@portcullis/crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { makeKey, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Seen, watchingWebSocket } from "./support/frames.ts";
import { createIntruder, plantKey } from "./support/intruder.ts";
import { knock } from "./support/knock.ts";
import { liveSessions } from "./support/sessions.ts";
import { changesOf, everythingIn } from "./support/store.ts";

vi.setConfig({ testTimeout: 30_000 });

const policy = {
  gates: [{ gate: "key" }, { gate: "otp" }],
  onFailure: { then: "decoy", attempts: 10 },
  encryption: { session: "required" },
  messaging: { history: { messages: 50 } },
  resume: "1m",
};

let dataDir: string;
let world: World;
let socket: OwnedSocket;
let phone: Authenticator;
let planted: string;
let url: string;
const open: Session[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "portcullis-decoy-"));
  world = await startWorld({ dataDir, replicas: true, env: { TICK_INTERVAL: "300ms" } });
  socket = await makeSocket(world.owner, policy);
  phone = await makeMember(world.owner, socket, "bob");
  planted = await plantKey(world, socket.id);
  url = `${socket.url}?id=bob`;
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
});
afterAll(async () => {
  await world.close();
  await rm(dataDir, { recursive: true, force: true });
});

const kept = <S extends Session>(session: S): S => {
  open.push(session);
  return session;
};
/** With a code that was not used before. */
async function genuine(options = {}): Promise<Session> {
  world.advance(30_000);
  await world.fresh();
  const answers = { otp: () => phone.code(world.now()) };
  return kept(await connect(url, { appKey: socket.appKey, answers, echo: true, ...options }));
}
const intruder = async (options = {}) => kept(await createIntruder(url, planted).land(options));

/** What a session hears from now on. */
function listen(session: Session): string[] {
  const heard: string[] = [];
  void (async () => {
    for await (const message of session) heard.push(message.text());
  })();
  return heard;
}
interface ShownDecoy {
  readonly room: string;
  readonly sessions: number;
}
interface ShownRecord {
  readonly deed: string;
  readonly body: string | null;
  readonly bodyBytes: number | null;
}
const decoysPath = () => `/v1/sockets/${socket.id}/decoys`;
const rooms = async () => (await world.owner.get<{ decoys: ShownDecoy[] }>(decoysPath())).decoys;
interface Entry {
  readonly event: string;
  readonly key?: string;
}
const book = async () => {
  const url = `/v1/sockets/${socket.id}/audit?order=oldest&limit=200`;
  return (await world.owner.get<{ entries: Entry[] }>(url)).entries;
};
const transcript = async (room: string) =>
  (await world.owner.get<{ records: ShownRecord[] }>(`${decoysPath()}/${room}`)).records;

describe("whoever lands in a decoy", () => {
  test("is heard by no member and no program of the owner's, hears none, and is nowhere but on the list of decoys", async () => {
    const bob = await genuine();
    const heardByBob = listen(bob);
    const joined: string[] = [];
    const { appKey } = await makeKey(world.owner, socket.id, "consumer");
    const consumer = await connectConsumer(socket.url, { appKey, onJoin: ({ sid }) => joined.push(sid) });
    const heardByConsumer: string[] = [];
    void (async () => {
      for await (const message of consumer) heardByConsumer.push(message.text());
    })();
    const mallory = await intruder();
    const heardByMallory = listen(mallory);
    await mallory.send("hello from nowhere");
    await bob.send("a secret of bob's");
    await expect.poll(() => heardByBob).toEqual(["a secret of bob's"]);
    await expect.poll(() => heardByMallory).toEqual(["hello from nowhere"]);
    await expect.poll(() => heardByConsumer).toEqual(["a secret of bob's"]);
    await sleep(500);
    expect(heardByBob).toEqual(["a secret of bob's"]);
    expect(heardByMallory).toEqual(["hello from nowhere"]);
    expect(joined).not.toContain(mallory.sid);
    const live = await liveSessions(world, socket.id);
    expect(JSON.stringify(live)).not.toContain(mallory.sid);
    expect(await rooms()).toMatchObject([{ keyId: parseAppKey(planted).keyId, member: "bob", sessions: 1 }]);
    await consumer.close();
  });

  test("is read by the owner: what they tried, when they were let in, what they said, and that they left", async () => {
    const mallory = await intruder();
    await mallory.send("where is the money?");
    await mallory.close();
    const [decoy] = await rooms();
    const ofMoney = ({ body }: ShownRecord) =>
      Buffer.from(body ?? "", "base64url")
        .toString()
        .includes("money");
    const records = async () => {
      const all = await transcript(decoy?.room ?? "");
      return all.slice(Math.max(0, all.findIndex(ofMoney)));
    };
    await expect.poll(async () => (await records()).map(({ deed }) => deed)).toEqual(["said", "left"]);
    const [said] = await records();
    const deeds = (await transcript(decoy?.room ?? "")).map(({ deed }) => deed);
    expect(deeds.slice(0, 2)).toEqual(["arrived", "tried"]);
    expect(deeds).toContain("accepted");
    expect(said?.bodyBytes).toBe("where is the money?".length);
  });

  test("changes nothing of what is real, whatever they do", async () => {
    const bob = await genuine();
    await bob.send("kept");
    // Until the ticks behind it are over, and the book has what came before.
    await sleep(1_500);
    // The owner's reading leaves a trace of its own: it is not to lie in between.
    const written = (await book()).length;
    const before = everythingIn(dataDir);
    const mallory = await intruder({ resume: true });
    for (let n = 0; n < 5; n += 1) await mallory.send(`${n}`);
    await mallory.close();
    const again = await intruder();
    await again.close();
    await sleep(500);
    const changed = changesOf(before, everythingIn(dataDir));
    // What the owner is to know of it, and that they have looked: the book says who came, under which key, and nothing of anybody else.
    const entries = (await book()).slice(written);
    const { keyId } = parseAppKey(planted);
    const isOfTheirs = ({ event, key }: Entry) =>
      event === "alerted" || (/^(decoy|denied)$/.test(event) && key === keyId);
    expect(entries.length).toBeGreaterThan(0);
    expect(entries.filter((entry) => !isOfTheirs(entry))).toEqual([]);
    const owners = new RegExp(
      `^(_state_entries/identity:(audit-head:${socket.id}$|alert:(canary-key|decoy):${socket.id}:)|_state_counters/identity:alerts-told:|identity_audit_blocks/${socket.id}[.]|identity_alerts/|identity_web_sessions/)`,
    );
    // What any connection leaves behind for a minute, and that an edge is there.
    const passing = /^_state_entries\/(identity:(handshake|connection|edge)|keys:handshake|bus\.)[:a-z]/;
    const own = /^(_state_(entries|counters|members)\/decoy:|identity_decoys\/|keys_decoy_records\/)/;
    expect(changed.filter((name) => own.test(name)).length).toBeGreaterThan(10);
    const known = [own, owners, passing];
    expect(changed.filter((name) => known.every((each) => !each.test(name)))).toEqual([]);
  });

  test("uses no code up: the very code that they tried is good for the member", async () => {
    world.advance(30_000);
    await world.fresh();
    const code = await phone.code(world.now());
    const own = await knock(url, { appKey: planted });
    const { cid } = await own.challenge();
    await own.say({ n: 1, t: "answer", cid, gate: "otp", value: code });
    await own.hear();
    own.leave();
    const answers = { otp: () => code };
    kept(await connect(url, { appKey: socket.appKey, answers }));
  });

  test("goes on over another connection in the same room, and nobody else can take that session", async () => {
    const states: string[] = [];
    const { WebSocket, seen } = watchingWebSocket();
    const sockets: InstanceType<typeof WebSocket>[] = [];
    class Kept extends WebSocket {
      constructor(href: string, protocols: string[]) {
        super(href, protocols);
        sockets.push(this);
      }
    }
    const onState = ({ is }: { readonly is: string }) => void states.push(is);
    const mallory = await intruder({ webSocket: Kept, onState });
    const heard = listen(mallory);
    await mallory.send("before");
    sockets.at(-1)?.terminate();
    await expect.poll(() => states, { timeout: 10_000 }).toContain("resumed");
    await mallory.send("behind");
    await expect.poll(() => heard).toEqual(["before", "behind"]);
    expect(seen.length).toBeGreaterThan(0);
  });

  test("speaks to a room by the name of a room, and never by that of a socket", async () => {
    const events: string[] = [];
    const edge = world.embedded.platformFor("edge", `edge-${randomBytes(3).toString("hex")}`);
    await edge.server.on(placedMessage, () => void events.push("heard"), { route: socket.id });
    const mallory = await intruder();
    await mallory.send("one");
    await sleep(800);
    expect(events).toEqual([]);
  });
});

describe("from the outside", () => {
  /** Of ticks there are as many as time goes by. */
  const shapeOf = (seen: readonly Seen[]) => seen.filter(({ way, type }) => !(way === "in" && type === 0x30));

  async function visit(who: (options: object) => Promise<Session>) {
    const { WebSocket, seen } = watchingWebSocket();
    const frames: string[] = [];
    const session = await who({ webSocket: WebSocket, onFrame: (frame: object) => frames.push(shape(frame)) });
    const heard = listen(session);
    await session.send("a message");
    await expect.poll(() => heard.length).toBe(1);
    await expect.poll(() => seen.filter(({ type }) => type === 0x30).length).toBeGreaterThan(2);
    const sizes = new Set(seen.filter(({ type }) => type === 0x30).map(({ size }) => size));
    const { gates, limits, mode, role, sealed, assurance, member } = session;
    await session.close();
    return {
      sizes: [...sizes].toSorted((a, b) => a - b),
      session: { gates, limits, mode, role, sealed, assurance, member, policyHash: session.policyHash },
      length: session.sid.length,
      frames,
      seen,
    };
  }
  /** Names and kinds of everything in it. */
  function shape(value: unknown): string {
    return JSON.stringify(value, (_name, part: unknown) =>
      typeof part === "string" ? `text of ${part.length}` : typeof part === "number" ? "number" : part,
    );
  }

  test("a decoy is like the real thing: fields, kinds and sizes of all frames, ticks, and how it ends", async () => {
    const real = await visit((options) => genuine(options));
    const attempt = await visit(async (options) => {
      // The one connection on which they are let in.
      for (;;) {
        const watched = watchingWebSocket();
        const session = await createIntruder(url, planted).land({ ...options });
        expect(watched.seen).toEqual([]);
        return kept(session);
      }
    });
    expect(attempt.session).toEqual(real.session);
    expect(attempt.length).toBe(real.length);
    expect(attempt.sizes).toEqual(real.sizes);
    const last = (seen: readonly Seen[]) => {
      const shaped = shapeOf(seen);
      // From the last `hello` on.
      const from = shaped.findLastIndex(({ way, kind }) => way === "in" && kind === "text");
      // Wrong answers before the right one are as many as there were.
      const records = shaped.slice(from).filter(({ type }) => type === null || type >= 0x20);
      return records.map(({ way, kind, type, size }) => ({ way, kind, type, size: kind === "text" ? 0 : size }));
    };
    expect(last(attempt.seen)).toEqual(last(real.seen));
    const handshake = (seen: readonly Seen[]) =>
      new Set(shapeOf(seen).map(({ way, type, size }) => `${way} ${type} ${type !== null && type < 0x20 ? size : ""}`));
    expect([...handshake(attempt.seen)].toSorted()).toEqual([...handshake(real.seen)].toSorted());
  });

  test.each([
    ["a frame of no kind", 0x7f],
    ["a record that does not open", 0x20],
    ["a record of the server's", 0x21],
  ])("%s ends it alike", async (_, type) => {
    const closeOf = async (who: (options: object) => Promise<Session>) => {
      const { WebSocket, seen } = watchingWebSocket();
      const sockets: InstanceType<typeof WebSocket>[] = [];
      class Kept extends WebSocket {
        constructor(href: string, protocols: string[]) {
          super(href, protocols);
          sockets.push(this);
        }
      }
      await who({ webSocket: Kept, comeBack: false, resume: false });
      const before = seen.length;
      sockets.at(-1)?.send(Buffer.concat([Uint8Array.of(type), Buffer.alloc(12 + 272)]));
      const close = () => seen.slice(before).find(({ way }) => way === "close")?.size;
      await expect.poll(close).toBeDefined();
      return close();
    };
    const real = await closeOf((options) => genuine(options));
    expect(await closeOf((options) => intruder(options))).toBe(real);
    expect(real).toBeGreaterThanOrEqual(4_000);
  });
});

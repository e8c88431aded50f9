import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { OpenPayload } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import {
  keyAndOtp,
  keyOnly,
  makeKey,
  makeMember,
  makeSocket,
  type OwnedSocket,
  plantKey,
} from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { dial } from "./support/attacker.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { bareDenied, closeOf } from "./support/closes.ts";
import { destinationIn, makeOpen } from "./support/knock.ts";
import { lockOut, lockout } from "./support/lock-out.ts";
import { rawConnect, upgradeRequest } from "./support/raw.ts";

vi.setConfig({ testTimeout: 10_000 });

let world: World;
let bystanders: Bystanders;
let socket: OwnedSocket;
let other: OwnedSocket;
let deleted: OwnedSocket;
let ticketed: OwnedSocket;
let revoked: { readonly appKey: string };
let planted: { readonly appKey: string };
let open: OwnedSocket;
let locked: OwnedSocket;
let strict: OwnedSocket;
let strictBob: Authenticator;
let lockedKey: { readonly appKey: string };
let bob: Authenticator;
let lockedBob: Authenticator;
let trips: string[] = [];
let stores: string[] = [];
let documentsRead = 0;
let lastCallAtMs = 0;

beforeAll(async () => {
  const { parse } = JSON;
  vi.spyOn(JSON, "parse").mockImplementation((text, reviver) => {
    // A socket, a member, a key.
    if (text.includes('"createdAtMs"')) documentsRead += 1;
    return parse(text, reviver);
  });
  world = await startWorld({
    env: { SWEEP_INTERVAL: "10m" },
    onRoundTrip: (name) => void trips.push(name),
    onStoreCall(call) {
      if (call === byTheClock) return;
      stores.push(call);
      lastCallAtMs = performance.now();
    },
  });
  bystanders = await startBystanders(world);
  socket = await makeSocket(world.owner);
  bob = await makeMember(world.owner, socket, "bob");
  other = await makeSocket(world.owner);
  await makeMember(world.owner, other, "bob");
  ticketed = await makeSocket(world.owner, {
    before: { ticket: "required" },
    gates: [{ gate: "path" }],
    resume: "off",
  });
  await makeMember(world.owner, ticketed, "bob");
  deleted = await makeSocket(world.owner);
  await makeMember(world.owner, deleted, "bob");
  await world.owner.delete(`/v1/sockets/${deleted.id}`);
  const key = await makeKey(world.owner, socket.id);
  await world.owner.delete(`/v1/sockets/${socket.id}/keys/${key.keyId}`);
  revoked = key;
  planted = await plantKey(world.owner, socket.id);
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "mallory", canary: true });
  // Here a key that is planted would be all it takes.
  open = await makeSocket(world.owner, keyOnly);
  strict = await makeSocket(world.owner, { ...keyAndOtp, encryption: { suite: "post-quantum" } });
  strictBob = await makeMember(world.owner, strict, "bob");
  locked = await makeSocket(world.owner, { ...keyAndOtp, onFailure: lockout });
  lockedBob = await makeMember(world.owner, locked, "bob");
  lockedKey = await makeKey(world.owner, locked.id);
  await lockOut(`${locked.url}?id=bob`, locked.appKey, lockedBob, world.now());
});
afterEach(() => bystanders.undisturbed());
afterAll(async () => {
  await bystanders.leave();
  await world.close();
  vi.restoreAllMocks();
});

interface Probe {
  readonly url: string;
  /** Null: Base mode. */
  readonly appKey: string | null;
  readonly dst?: OpenPayload["dst"];
  /** Whose right code is offered. */
  readonly answer?: Authenticator;
  readonly ticket?: string;
}

/** `keys` looks every half second for decoys that are to be heard. */
const byTheClock = "state.members";
/** Longer than what a refusal leads to waits before it begins (`afterwards.ts`). */
const quietMs = 250;

/** What a probe leads to behind its answer must not be taken for the work of the next one. */
async function quiet(): Promise<void> {
  for (;;) {
    const leftMs = lastCallAtMs + quietMs - performance.now();
    if (leftMs <= 0) return;
    await sleep(leftMs);
  }
}

/**
 * All that somebody on the other end can see, but for the time it takes; and what it costs inside up to the answer. What comes behind that (a failure counted for
 * who has a key, an owner alerted) differs, and is not theirs to see.
 */
async function footprint({ url, appKey, dst = destinationIn(url), answer, ticket }: Probe) {
  const attacker = await dial(url);
  const hello = await attacker.hello();
  [trips, stores, documentsRead] = [[], [], 0];
  const answers = answer === undefined ? undefined : [{ gate: "otp", value: answer.code(world.now()) }];
  const { frame } = await makeOpen(hello, {
    appKey,
    dst,
    ...(answers === undefined ? {} : { answers }),
    ...(ticket === undefined ? {} : { ticket }),
  });
  attacker.send(frame);
  const close = await attacker.closed;
  const [askedTrips, askedStores, read] = [trips, stores, documentsRead];
  const [first = "", ...rest] = attacker.heard;
  const { hid, nonce, ...same } = JSON.parse(String(first)) as Record<string, string>;
  return {
    hello: { ...same, hidLength: hid?.length, nonceLength: nonce?.length, bytes: first.length },
    frames: rest.map(String),
    close,
    // A new bundle may be fetched at any time, whoever is there.
    trips: askedTrips.filter((name) => name !== "keys.bundle"),
    // What is asked at once may be asked in any order.
    stores: askedStores.toSorted(),
    documentsRead: read,
  };
}

/** The same words at a label that nobody has, with a key that never was: as many parts of a path, a ticket where there was one. */
function nowhere({ url, appKey, ticket, ...same }: Probe): Probe {
  const { protocol, host, pathname, search } = new URL(url);
  const path = pathname.replace(/^\/[^/]+/, "/nobody");
  return {
    ...same,
    url: `${protocol}//${host}${path}${search}`,
    appKey: appKey === null ? null : inventedKey(),
    ...(ticket === undefined ? {} : { ticket: noTicket() }),
  };
}

/** The right key's name with another secret. */
const wrongSecret = (appKey: string): string => {
  const parts = appKey.split(".");
  return [parts[0], parts[1], randomBytes(32).toString("base64url"), parts[3]].join(".");
};
const noTicket = () => `pt1.${randomBytes(32).toString("base64url")}`;
const inventedKey = (): string =>
  [
    "pc1",
    randomBytes(12).toString("base64url"),
    randomBytes(32).toString("base64url"),
    socket.appKey.split(".")[3],
  ].join(".");

const probes: readonly (readonly [string, () => Probe])[] = [
  ["an unknown label", () => ({ url: `${world.edges[0]}/nobody/nowhere?id=bob`, appKey: inventedKey() })],
  [
    "an unknown label with a real key",
    () => ({ url: `${world.edges[0]}/nobody/nowhere?id=bob`, appKey: socket.appKey }),
  ],
  [
    "no label at all",
    () => ({
      url: `${world.edges[0]}/?id=bob`,
      appKey: inventedKey(),
      dst: { label: "x", path: "", query: "id=bob", id: "bob" },
    }),
  ],
  [
    "a known label with an unknown path",
    () => ({
      url: `${new URL(socket.url).origin}/${destinationIn(socket.url).label}/nowhere?id=bob`,
      appKey: inventedKey(),
    }),
  ],
  [
    "a known label with an unknown path and its real key",
    () => ({ url: `${socket.url}x?id=bob`, appKey: socket.appKey }),
  ],
  ["a deleted socket with its key", () => ({ url: `${deleted.url}?id=bob`, appKey: deleted.appKey })],
  ["a known path with a key that never was", () => ({ url: `${socket.url}?id=bob`, appKey: inventedKey() })],
  [
    "a known path with the wrong secret of a real key",
    () => ({ url: `${socket.url}?id=bob`, appKey: wrongSecret(socket.appKey) }),
  ],
  ["a known path with a revoked key", () => ({ url: `${socket.url}?id=bob`, appKey: revoked.appKey })],
  ["a known path with a key that was planted", () => ({ url: `${socket.url}?id=bob`, appKey: planted.appKey })],
  [
    "a key that was planted, with the right code",
    () => ({ url: `${socket.url}?id=bob`, appKey: planted.appKey, answer: bob }),
  ],
  ["a key that was planted, without a name", () => ({ url: socket.url, appKey: planted.appKey })],
  ["a key that was planted, at an unknown path", () => ({ url: `${socket.url}x?id=bob`, appKey: planted.appKey })],
  ["a key that was planted, at another socket", () => ({ url: open.url, appKey: planted.appKey })],
  ["a member who was planted, with the real key", () => ({ url: `${socket.url}?id=mallory`, appKey: socket.appKey })],
  ["a known path with another socket's key", () => ({ url: `${socket.url}?id=bob`, appKey: other.appKey })],
  ["a known path without a key", () => ({ url: `${socket.url}?id=bob`, appKey: null })],
  ["an unknown path without a key", () => ({ url: `${socket.url}x?id=bob`, appKey: null })],
  ["an unknown member with the wrong key", () => ({ url: `${socket.url}?id=eve`, appKey: wrongSecret(socket.appKey) })],
  [
    "a known member with the wrong key and the right code",
    () => ({ url: `${socket.url}?id=bob`, appKey: wrongSecret(socket.appKey), answer: bob }),
  ],
  [
    "a known member with another socket's key and the right code",
    () => ({ url: `${socket.url}?id=bob`, appKey: other.appKey, answer: bob }),
  ],
  ["no member with the wrong key", () => ({ url: socket.url, appKey: wrongSecret(socket.appKey) })],
  ["a socket that wants a ticket, without one", () => ({ url: `${ticketed.url}?id=bob`, appKey: null })],
  [
    "a socket that wants a ticket, with one that never was",
    () => ({ url: `${ticketed.url}?id=bob`, appKey: null, ticket: noTicket() }),
  ],
  ["an unknown path, with such a ticket", () => ({ url: `${ticketed.url}x?id=bob`, appKey: null, ticket: noTicket() })],
  [
    "a known path without a key, with such a ticket",
    () => ({ url: `${socket.url}?id=bob`, appKey: null, ticket: noTicket() }),
  ],
  ["more behind a known path, without a key", () => ({ url: `${socket.url}/more?id=bob`, appKey: null })],
  ["a member who is locked out, with the real key", () => ({ url: `${locked.url}?id=bob`, appKey: locked.appKey })],
  [
    "a member who is locked out, with the real key and the right code",
    () => ({ url: `${locked.url}?id=bob`, appKey: locked.appKey, answer: lockedBob }),
  ],
  [
    "a member who is locked out, with another key of the socket's and the right code",
    () => ({ url: `${locked.url}?id=bob`, appKey: lockedKey.appKey, answer: lockedBob }),
  ],
  [
    "a socket that takes the post-quantum suite alone, under the other, with the real key and the right code",
    () => ({ url: `${strict.url}?id=bob`, appKey: strict.appKey, answer: strictBob }),
  ],
  [
    "a socket that takes the post-quantum suite alone, under the other, with a key that never was",
    () => ({ url: `${strict.url}?id=bob`, appKey: inventedKey() }),
  ],
  [
    "a box that says it is elsewhere",
    () => ({
      url: `${socket.url}?id=bob`,
      appKey: socket.appKey,
      dst: { ...destinationIn(other.url), query: "id=bob", id: "bob" },
    }),
  ],
  [
    "a box that names another member than the query",
    () => ({
      url: `${socket.url}?id=bob`,
      appKey: socket.appKey,
      dst: { ...destinationIn(`${socket.url}?id=bob`), id: "ann" },
    }),
  ],
];

describe("whoever has proven nothing sees the same, wherever they went", () => {
  test.each(probes)("%s: bytes, calls, look-ups and what is read are those of nowhere", async (_what, make) => {
    const probe = make();
    await quiet();
    const nothing = await footprint(nowhere(probe));
    const seen = await footprint(probe);
    expect(seen.frames).toEqual([bareDenied]);
    expect(seen.close).toEqual(closeOf("denied"));
    expect(seen.trips).toEqual(["keys.handshake.open", "identity.handshake.open"]);
    expect(seen.stores).toEqual(nothing.stores);
    expect(seen.stores).toContain("identity_sockets.findOne");
    // Socket, member and key, or what is read in the place of each: to find something must not be more work.
    expect([nothing.documentsRead, seen.documentsRead]).toEqual([3, 3]);
  });

  test("and the hello before it is one and the same, but for what is random in it", async () => {
    const footprints = [];
    // In one go, so that all of them are within the life of one bundle.
    for (const [, probe] of probes) footprints.push(await footprint(probe()));
    const bundles = new Set(footprints.map(({ hello }) => JSON.stringify(hello)));
    // It may change once on the way.
    expect(bundles.size).toBeLessThanOrEqual(2);
    expect(new Set(footprints.map(({ hello }) => hello.bytes)).size).toBe(1);
  });

  test("the upgrade is answered with the same bytes for every target", async () => {
    const heads = [];
    for (const target of [
      new URL(socket.url).pathname,
      "/nobody/nowhere",
      "/",
      `${new URL(deleted.url).pathname}?id=bob`,
    ]) {
      const raw = await rawConnect(Number(new URL(world.url).port));
      raw.write(upgradeRequest(target));
      heads.push(await raw.head());
      raw.socket.destroy();
    }
    expect(new Set(heads).size).toBe(1);
    expect(heads[0]).toMatch(/^HTTP\/1\.1 101 /);
  });

  test("a page at a socket's address is the page at any other", async () => {
    const pages = [];
    for (const target of [new URL(socket.url).pathname, "/nobody/nowhere"]) {
      const response = await fetch(`${world.url}${target}`);
      pages.push({ status: response.status, text: await response.text() });
    }
    expect(pages[0]).toEqual(pages[1]);
    expect(pages[0]?.status).toBe(200);
  });

  test("and this test would notice: with the right key it is another story", async () => {
    const attacker = await dial(`${socket.url}?id=bob`);
    const { frame } = await makeOpen(await attacker.hello(), {
      appKey: socket.appKey,
      dst: destinationIn(`${socket.url}?id=bob`),
    });
    attacker.send(frame);
    expect(await attacker.next()).toBeInstanceOf(Buffer);
    attacker.leave();
  });
});

describe("names and secrets that were tried are not written down", () => {
  test("no log line holds a path, a key, a code or an address", () => {
    // Where we listen is no secret.
    const text = world.logs.filter((line) => !line.includes("the owner API listens")).join("\n");
    const { path } = destinationIn(socket.url);
    const secrets = [path, socket.appKey.split(".")[2] ?? "", other.appKey.split(".")[2] ?? "", "127.0.0.1", "::1"];
    expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
  });
});

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";

const hashes = vi.hoisted(() => ({ made: 0 }));
vi.mock("@node-rs/argon2", async (original) => {
  const real = await original<typeof import("@node-rs/argon2")>();
  return {
    ...real,
    verify: (...given: Parameters<typeof real.verify>) => {
      hashes.made += 1;
      return real.verify(...given);
    },
  };
});

const passphrase = "a passphrase of bob's";
const policy = { before: { ticket: "required" }, gates: [{ gate: "key" }] };

let world: World;
let socket: OwnedSocket;
let deleted: OwnedSocket;
let networks = 0;
let stores: string[] = [];
let trips: string[] = [];
let documentsRead = 0;
let lastAtMs = 0;

beforeAll(async () => {
  const { parse } = JSON;
  vi.spyOn(JSON, "parse").mockImplementation((text, reviver) => {
    // A socket, or a member.
    if (text.includes('"createdAtMs"')) documentsRead += 1;
    return parse(text, reviver);
  });
  world = await startWorld({
    env: { SWEEP_INTERVAL: "10m", TRUSTED_PROXIES: "127.0.0.1,::1" },
    onRoundTrip: (name) => void trips.push(name),
    onStoreCall(call) {
      // `keys` looks every half second for decoys that are to be heard.
      if (call === "state.members") return;
      stores.push(call);
      lastAtMs = performance.now();
    },
  });
  const make = async () => {
    const made = await makeSocket(world.owner, policy);
    await world.owner.post(`/v1/sockets/${made.id}/members`, { name: "bob", passphrase });
    return made;
  };
  [socket, deleted] = [await make(), await make()];
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "carol" });
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "mallory", canary: true, passphrase });
  await world.owner.delete(`/v1/sockets/${deleted.id}`);
});
afterAll(async () => {
  await world.close();
  vi.restoreAllMocks();
});

/** Longer than what a refusal leads to waits before it begins (`afterwards.ts`). */
const quietMs = 250;

async function quiet(): Promise<void> {
  for (;;) {
    const leftMs = lastAtMs + quietMs - performance.now();
    if (leftMs <= 0) return;
    await sleep(leftMs);
  }
}

/** What is told, but for what is another each time; and what it costs inside up to the answer. From a network that has not tried yet. */
async function footprint(url: string, id: string, shown: string) {
  [stores, trips, documentsRead, hashes.made] = [[], [], 0, 0];
  networks += 1;
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": `198.18.0.${networks}` },
    body: JSON.stringify({ id, passphrase: shown }),
  });
  lastAtMs = performance.now();
  const headers = Object.fromEntries(answer.headers);
  for (const name of ["date", "x-request-id", "ratelimit-reset", "ratelimit-remaining"]) delete headers[name];
  const { requestId: _, ...body } = (await answer.json()) as Record<string, unknown>;
  const asked = trips.filter((name) => name !== "keys.bundle");
  return {
    told: { status: answer.status, headers, body },
    asked,
    stores: stores.toSorted(),
    documentsRead,
    hashes: hashes.made,
  };
}

const pageOf = ({ url }: OwnedSocket) => url.replace(/^ws/, "http");
const tries: readonly (readonly [string, () => readonly [url: string, id: string, passphrase: string]])[] = [
  ["a member with a wrong passphrase", () => [pageOf(socket), "bob", "not that one"]],
  ["a member behind the path of their socket", () => [`${pageOf(socket)}/more`, "bob", "not that one"]],
  ["a member who has none", () => [pageOf(socket), "carol", passphrase]],
  ["a member who was planted, with the right one", () => [pageOf(socket), "mallory", passphrase]],
  ["an unknown member", () => [pageOf(socket), "eve", passphrase]],
  ["an unknown path", () => [`${pageOf(socket)}x`, "bob", passphrase]],
  ["a deleted socket with what was right there", () => [pageOf(deleted), "bob", passphrase]],
];

describe("whoever posts a passphrase that is none", () => {
  test.each(tries)("%s: the answer, look-ups, reading and one slow hash of nowhere", async (_what, of) => {
    const [url, id, shown] = of();
    const { origin, pathname } = new URL(url);
    await quiet();
    const nothing = await footprint(`${origin}${pathname.replace(/^\/[^/]+/, "/nobody")}`, id, shown);
    const seen = await footprint(url, id, shown);
    expect(seen).toEqual(nothing);
    expect(seen.told.status).toBe(401);
    expect(seen.asked).toEqual(["identity.tickets.exchange"]);
    expect(seen.stores).toContain("identity_sockets.findOne");
    expect([seen.documentsRead, seen.hashes]).toEqual([2, 1]);
  });

  test("and this test would notice: the right one is another story", async () => {
    const [nothing, seen] = [
      await footprint(pageOf(socket), "eve", passphrase),
      await footprint(pageOf(socket), "bob", passphrase),
    ];
    expect(seen.told.status).toBe(200);
    expect(seen.stores).not.toEqual(nothing.stores);
  });
});

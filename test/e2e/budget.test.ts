import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { rawClient } from "./support/raw-client.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { keyAndOtp, makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

/** What an edge asks by itself, whoever is connected. */
const background = ["keys.bundle", "identity.sessions.check"];
const offerMax = 4;
const gateMax = 3;

let world: World;
let asked: string[] = [];
const keeper = sessionKeeper();
beforeAll(async () => {
  world = await startWorld({
    onRoundTrip(contract, { from, to }) {
      if (!background.includes(contract)) asked.push(`${from} asks ${to}: ${contract}`);
    },
  });
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

/** The questions that cross the bus while `work` runs. */
async function tripsOf(work: () => Promise<unknown>): Promise<string[]> {
  asked = [];
  await work();
  return asked;
}

describe("round trips over the bus", () => {
  test("an offer costs three to its verdict, and never more than four", async () => {
    const socket = await makeSocket(world.owner, { ...keyAndOtp, mode: "offered" });
    const bob = await makeMember(world.owner, socket, "bob");
    const trips = await tripsOf(() =>
      keeper.connect(`${socket.url}?id=bob`, {
        appKey: socket.appKey,
        offer: () => [{ gate: "otp", value: bob.code(world.now()) }],
      }),
    );
    expect(trips).toEqual([
      "edge asks keys: keys.handshake.open",
      "keys asks identity: identity.handshake.open",
      "identity asks factors: factors.verify",
    ]);
    expect(trips.length).toBeLessThanOrEqual(offerMax);
  });

  test("a prompted gate costs three, whether its answer is right or wrong", async () => {
    const socket = await makeSocket(world.owner);
    const bob = await makeMember(world.owner, socket, "bob");
    const perGate: string[][] = [];
    const codes = ["no code", "still none", bob.code(world.now())];
    await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      answers: {
        otp() {
          perGate.push(asked);
          asked = [];
          return codes.shift() ?? null;
        },
      },
    });
    perGate.push(asked);
    expect(perGate.shift()).toEqual(
      expect.arrayContaining(["edge asks keys: keys.handshake.open", "keys asks identity: identity.handshake.open"]),
    );
    expect(perGate).toHaveLength(3);
    for (const trips of perGate) {
      expect(trips).toEqual([
        "edge asks keys: keys.handshake.record",
        "keys asks identity: identity.handshake.step",
        "identity asks factors: factors.verify",
      ]);
      expect(trips.length).toBeLessThanOrEqual(gateMax);
    }
  });

  test("a hello costs none", async () => {
    const socket = await makeSocket(world.owner);
    const trips = await tripsOf(async () => {
      for (const url of [socket.url, `${socket.url}x`]) (await rawClient(url, { appKey: socket.appKey })).close();
    });
    expect(trips).toEqual([]);
  });

  test("an unknown path, a wrong key, a revoked key and an unknown member cost the same", async () => {
    const socket = await makeSocket(world.owner, { ...keyAndOtp, mode: "offered" });
    const revoked = await makeSocket(world.owner, { ...keyAndOtp, mode: "offered" });
    await makeMember(world.owner, socket, "bob");
    await world.owner.delete(`/v1/sockets/${revoked.id}/keys/${revoked.keyId}`);
    const other = await makeSocket(world.owner);
    const refusedBy = (url: string, { appKey }: Pick<OwnedSocket, "appKey">) =>
      tripsOf(() =>
        expect(keeper.connect(url, { appKey, offer: [{ gate: "otp", value: "000000" }] })).rejects.toMatchObject(
          denial,
        ),
      );
    const bare = ["edge asks keys: keys.handshake.open", "keys asks identity: identity.handshake.open"];
    expect(await refusedBy(`${socket.url}x?id=bob`, socket)).toEqual(bare);
    expect(await refusedBy(`${socket.url}?id=bob`, other)).toEqual(bare);
    expect(await refusedBy(`${revoked.url}?id=bob`, revoked)).toEqual(bare);
    expect(await refusedBy(`${socket.url}?id=nobody`, socket)).toEqual(bare);
    expect(await refusedBy(`${socket.url.replace(/\/s/, "/t")}?id=bob`, socket)).toEqual(bare);
  });
});

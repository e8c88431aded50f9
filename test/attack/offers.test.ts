import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { makeMember, makeSocket, makeSocketAuthenticator, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { knock } from "./support/knock.ts";

vi.setConfig({ testTimeout: 15_000 });

/** Whoever has the app key offers, and must not learn from an offer that was not enough which part of it was right. */
let world: World;
let socket: OwnedSocket;
let steps = 0;
beforeAll(async () => {
  world = await startWorld({
    onRoundTrip: (name) => {
      if (name === "identity.handshake.step") steps += 1;
    },
  });
  const gates = [{ gate: "key" }, { gate: "otp" }, { anyOf: [{ gate: "otp" }, { gate: "otp", of: "socket" }] }];
  socket = await makeSocket(world.owner, { gates, mode: "offered", onFailure: { attempts } });
  await makeSocketAuthenticator(world.owner, socket);
});
afterAll(() => world.close());

const first = (value: string) => ({ gate: "otp", value, at: "1" });
const second = (value: string) => ({ gate: "otp", value, at: "2.1" });
const wrong = "000000";
const attempts = 4;

test.each<[string, string, number, (code: string) => object[]]>([
  ["all wrong", "ann", 1, () => [first(wrong)]],
  ["half right", "bob", 0, (code) => [first(code)]],
  ["half right and half wrong", "cem", 1, (code) => [first(code), second(wrong)]],
  ["for a gate that there is not", "dee", 1, (code) => [{ gate: "otp", value: code, at: "7" }]],
  ["of a kind that is not asked for", "eva", 1, (code) => [{ gate: "email", value: code }]],
])(
  "an offer that is %s gets no byte; the denial at the end is the first thing said",
  async (_, name, wrongs, answers) => {
    const phone = await makeMember(world.owner, socket, name);
    const attacker = await knock(`${socket.url}?id=${name}`, { appKey: socket.appKey });
    const before = steps;
    const offer = async (n: number, what: object[]) => {
      await attacker.say({ n, t: "offer", answers: what });
      // Records that come faster than they are looked at end the connection.
      await expect.poll(() => steps).toBe(before + n);
    };
    await offer(1, answers(phone.code(world.now())));
    for (let n = 2; n <= attempts - wrongs + 1; n += 1) await offer(n, [second(wrong)]);
    // Every record of the server's has the next number: 1 says that there was none before.
    expect(await attacker.hear()).toEqual({ n: 1, t: "denied", code: "denied" });
    expect(await attacker.hear()).toBe(null);
  },
);

import { connect } from "@portcullis/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeMember, makeSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

describe("a socket behind path, app key and one-time code", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => { if (process.env.SHOW) for (const l of world.logs) console.log(l.slice(0,900)); return world.close(); });

  test("lets in who has the key and the authenticator, and messages flow", async () => {
    const socket = await makeSocket(world.owner);
    const bob = await makeMember(world.owner, socket, "bob");
    const ann = await makeMember(world.owner, socket, "ann");
    const join = (name: string, code: () => string) =>
      connect(`${socket.url}?id=${name}`, { appKey: socket.appKey, answers: { otp: code } });
    const one = await join("bob", () => bob.code(world.now()));
    const two = await join("ann", () => ann.code(world.now()));
    expect(one.assurance).toEqual({ key: true, memberBound: true, gates: ["otp"] });
    await one.send("hello");
    for await (const message of two) {
      expect(message.text()).toBe("hello");
      expect(message.from.member).toBe("bob");
      break;
    }
    await Promise.all([one.close(), two.close()]);
  });

  test("a wrong key, a wrong code three times and an unknown path are denied alike", async () => {
    const socket = await makeSocket(world.owner);
    await makeMember(world.owner, socket, "bob");
    const other = await makeSocket(world.owner);
    await expect(connect(`${socket.url}?id=bob`, { appKey: other.appKey, answers: { otp: () => "000000" } })).rejects.toMatchObject({ code: "denied" });
    await expect(connect(`${socket.url}?id=bob`, { appKey: socket.appKey, answers: { otp: () => "000000" } })).rejects.toMatchObject({ code: "denied" });
    await expect(connect(`${socket.url}x?id=bob`, { appKey: socket.appKey, answers: { otp: () => "000000" } })).rejects.toMatchObject({ code: "denied" });
  });

  test("one code opens one connection", async () => {
    const socket = await makeSocket(world.owner);
    const bob = await makeMember(world.owner, socket, "bob");
    const code = bob.code(world.now());
    const tries = await Promise.allSettled([1, 2, 3].map(() => connect(`${socket.url}?id=bob`, { appKey: socket.appKey, offer: [{ gate: "otp", value: code }], answers: { otp: () => null } })));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const attempt of tries) if (attempt.status === "fulfilled") await attempt.value.close();
  });
});

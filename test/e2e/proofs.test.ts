import { connect } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { makeSocket } from "./support/socket.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

const keeper = sessionKeeper();
let world: World;
beforeAll(async () => {
  world = await startWorld({ replicas: true });
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

describe("a captcha", () => {
  const policy = { gates: [{ gate: "key" }, { gate: "captcha", cost: "low" }], anonymous: true };

  test("lets in a client that works for it, asks nobody, and says nothing about who it is", async () => {
    const socket = await makeSocket(world.owner, policy);
    const session = await keeper.connect(socket.url, { appKey: socket.appKey });
    expect(session.gates).toEqual(["key", "captcha"]);
    expect(session.assurance).toEqual({ key: true, memberBound: false, gates: [] });
  });

  test("is done for the same question, where the connection breaks while the client works, over another edge", async () => {
    const socket = await makeSocket(world.owner, policy);
    const proxy = await startTcpProxy(world.edges[0] ?? "");
    try {
      let challenges = 0;
      const session = await keeper.connect(proxy.through(socket.url), {
        appKey: socket.appKey,
        onFrame(_direction, kind) {
          if (kind !== "challenge") return;
          challenges += 1;
          if (challenges > 1) return;
          proxy.cut();
          proxy.leadTo(world.edges[1] ?? "");
        },
      });
      expect(session.edge).toBe("edge-2");
      expect(challenges).toBe(2);
    } finally {
      await proxy.close();
    }
  });

  test("ends the handshake of who sends something else", async () => {
    const socket = await makeSocket(world.owner, policy);
    const entering = connect(socket.url, { appKey: socket.appKey, answers: { captcha: () => "e30" } });
    await expect(entering).rejects.toMatchObject(denial);
  });
});

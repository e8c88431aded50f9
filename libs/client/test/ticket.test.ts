import { describe, expect, it } from "vitest";
import { connect } from "../src/mod.ts";
import { enter, played, refusal, serve, world } from "./support/harness.ts";

const ticket = `pt1.${"A".repeat(43)}`;

describe("a ticket", () => {
  it("goes along in the box, with an app key", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      expect((await peer.readOpen()).ticket).toBe(ticket);
      await peer.accept();
    });
    const session = await enter(server, { ticket });
    await played(server);
    await session.close();
  });

  it("goes along without an app key where the server is pinned, and is then only for that server", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      expect((await peer.readOpen()).ticket).toBe(ticket);
      await peer.accept({ assurance: { key: false, memberBound: false, gates: [] }, gates: ["ticket"] });
    });
    const { fingerprint: pin } = world.identity;
    const session = await connect(server.url, { ticket, pin, timeoutMs: 5_000 });
    expect(session.gates).toEqual(["ticket"]);
    await session.close();

    let asked = 0;
    const get = () => {
      asked += 1;
      return ticket;
    };
    const other = await serve((peer) => peer.hello());
    await refusal(connect(other.url, { ticket: get, pin: "A".repeat(22), timeoutMs: 5_000 }), "untrusted-server");
    expect(await other.peers[0]?.closed).toMatchObject({ code: 1000 });
    expect(other.peers[0]?.pending()).toBe(0);
    for (const unpinned of ["allow", "refuse"] as const)
      await refusal(connect(other.url, { ticket: get, unpinned, timeoutMs: 5_000 }), "untrusted-server");
    expect(other.peers).toHaveLength(1);
    expect(asked).toBe(0);
  });

  it("is asked for when the server has been verified, and not again where the session goes on", async () => {
    const heard: string[] = [];
    let secret = new Uint8Array();
    const server = await serve(async (peer) => {
      if (server.peers.length === 1) {
        await peer.letIn({ resumeMs: 5_000 });
        secret = peer.resume.slice();
        peer.socket.terminate();
        return;
      }
      await peer.hello();
      expect(await peer.readOpen(secret)).not.toHaveProperty("ticket");
      await peer.accept({ resumeMs: 5_000, next: 0 });
    });
    const session = await enter(server, {
      ticket: async () => {
        heard.push("ticket");
        return ticket;
      },
      onFrame: (_direction, kind) => heard.push(kind),
      onState: ({ is }) => heard.push(is),
    });
    await expect.poll(() => heard).toContain("resumed");
    await played(server);
    expect(heard.slice(0, 3)).toEqual(["hello", "ticket", "open"]);
    expect(heard.filter((one) => one === "ticket")).toHaveLength(1);
    expect(server.peers[0]?.payload?.ticket).toBe(ticket);
    await session.close();
  });

  it("that is none is refused, and never repeated", async () => {
    const wrong = "pt1.planted-secret";
    await refusal(connect("ws://127.0.0.1:1/a/b", { ticket: wrong, appKey: world.appKeyText }), "ticket");
    const server = await serve((peer) => peer.hello());
    const error = await refusal(enter(server, { ticket: () => wrong }), "ticket");
    expect(JSON.stringify({ ...error, message: error.message })).not.toContain("planted");
    const cause = new Error("not signed in");
    const failed = await refusal(
      enter(server, {
        ticket: () => {
          throw cause;
        },
      }),
      "cancelled",
    );
    expect(failed.cause).toBe(cause);
  });
});

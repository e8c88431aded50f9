import { generateIdentity, signBundle } from "@portcullis/crypto";
import { base64url } from "@portcullis/protocol";
import { describe, expect, it, vi } from "vitest";
import { connect } from "../src/mod.ts";
import { enter, played, refusal, serve, world } from "./support/harness.ts";
import { createWorld } from "./support/server.ts";

const asked: string[] = [];
const answers = {
  otp: () => {
    asked.push("otp");
    return "123456";
  },
};
const offer = () => {
  asked.push("offer");
  return [{ gate: "otp", value: "123456" }];
};
const flip = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, index) => (index === (at + bytes.length) % bytes.length ? byte ^ 1 : byte));

/** Nothing was sent to a server that is not the right one, and nobody was asked. */
async function nothingSaid(server: Awaited<ReturnType<typeof serve>>, closeCode = 1000): Promise<void> {
  const [peer] = server.peers;
  expect(await peer?.closed).toMatchObject({ code: closeCode });
  expect(peer?.pending()).toBe(0);
  expect(asked).toEqual([]);
}

describe("before anything is said or asked", () => {
  it("another server's identity is refused", async () => {
    const other = await createWorld();
    const server = await serve((peer) => peer.hello());
    const error = await refusal(enter(server, { appKey: other.appKeyText, answers, offer }), "untrusted-server");
    expect(error).toMatchObject({ retryable: false, sealed: false });
    await nothingSaid(server);
  });

  it("so is one that signs a bundle in the right server's name", async () => {
    const { identity } = await generateIdentity();
    const forged = await signBundle(
      { ...identity, publicKey: world.identity.publicKey },
      { kid: "kid1", suites: { "0020": world.kem.publicKey }, exp: 9_999_999_999 },
    );
    const forging = await serve((peer) =>
      peer.hello((hello) => ({ ...hello, bundle: forged.bundle, sig: forged.sig })),
    );
    await refusal(enter(forging, { answers, offer }), "untrusted-server");
    await nothingSaid(forging);
  });

  it("an altered bundle or signature is refused", async () => {
    // The `exp` stands last: another digit leaves the bundle well-formed.
    const bundle = await serve((peer) => peer.hello((hello) => ({ ...hello, bundle: flip(hello.bundle, -2) })));
    await refusal(enter(bundle, { answers, offer }), "untrusted-server");
    await nothingSaid(bundle);
    const signature = await serve((peer) => peer.hello((hello) => ({ ...hello, sig: flip(hello.sig, 5) })));
    await refusal(enter(signature, { answers, offer }), "untrusted-server");
    await nothingSaid(signature);
  });

  it("an old bundle is refused, by the given clock, and worth another try", async () => {
    const server = await serve((peer) => peer.hello());
    const clock = () => Date.now() + 121_000;
    expect(await refusal(enter(server, { clock, answers, offer }), "expired-bundle")).toMatchObject({
      retryable: true,
    });
    await nothingSaid(server);
  });

  it("a platform that has not what verifies a server is no untrusted server", async () => {
    const server = await serve((peer) => peer.hello());
    const importKey = vi.spyOn(crypto.subtle, "importKey");
    importKey.mockImplementation(async () => Promise.reject(new DOMException("", "NotSupportedError")));
    try {
      await refusal(connect(server.url, { pin: world.identity.fingerprint, answers, offer }), "unsupported");
    } finally {
      importKey.mockRestore();
    }
    await nothingSaid(server, 4505);
  });

  it("a page that is given no WebCrypto is told so, and by what it would be", async () => {
    vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues });
    try {
      const { message } = await refusal(connect("ws://127.0.0.1:1/a/b", { unpinned: "allow" }), "unsupported");
      expect(message).toBe("There is no WebCrypto here: browsers give it to pages over https and localhost alone.");
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it("a suite below the floor is refused", async () => {
    const server = await serve((peer) => peer.hello());
    await refusal(enter(server, { minSuite: "647a", answers, offer }), "unsupported");
    await nothingSaid(server, 4505);
  });

  it("without a key nobody connects, unless the server is pinned or that is what the application wants", async () => {
    const server = await serve((peer) => peer.letIn());
    await refusal(connect(server.url, { answers }), "untrusted-server");
    expect(server.peers).toHaveLength(0);
    await refusal(connect(server.url, { pin: "A".repeat(22), answers }), "untrusted-server");
    const pinned = await connect(server.url, { pin: world.identity.fingerprint });
    expect(pinned.server.pinned).toBe(true);
    const allowed = await connect(server.url, { unpinned: "allow" });
    expect(allowed.server).toMatchObject({ pinned: false, fingerprint: world.identity.fingerprint });
    await Promise.all([pinned.close(), allowed.close()]);
  });

  it("a key that is none, or that another pin contradicts, is refused without a connection and without being repeated", async () => {
    const server = await serve((peer) => peer.letIn());
    const error = await refusal(enter(server, { appKey: "pc1.canary" }), "key");
    expect(`${error.stack}${JSON.stringify(error)}`).not.toContain("canary");
    await refusal(enter(server, { pin: "A".repeat(22) }), "key");
    await refusal(enter(server, { appKey: () => Promise.reject(new Error("locked")) }), "cancelled");
    expect(server.peers).toHaveLength(0);
  });
});

describe("what somebody between does to a handshake ends it", () => {
  it.each([0, 3, 8, 20, 28, 29, 100, -1])("a record altered at byte %i", async (at) => {
    asked.length = 0;
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      peer.socket.send(flip(await peer.challenge(), at));
    });
    await refusal(enter(server, { answers }), "protocol");
    expect([4500, 4501]).toContain((await server.peers[0]?.closed)?.code);
    expect(asked).toEqual([]);
  });

  it("a repeated record is not heard twice", async () => {
    asked.length = 0;
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      const challenge = await peer.challenge();
      peer.socket.send(challenge);
      peer.socket.send(challenge);
      expect(await peer.readPlaintext()).toMatchObject({ n: 1 });
      peer.socket.send(challenge);
      const accepted = await peer.accepted();
      peer.socket.send(accepted);
      peer.socket.send(accepted);
      peer.message("sid-ann", 0, "hi");
    });
    const session = await enter(server, { answers });
    for await (const message of session) {
      expect(message.text()).toBe("hi");
      break;
    }
    expect(asked).toEqual(["otp"]);
    expect(server.peers[0]?.pending()).toBe(0);
    await session.close();
  });

  it.each([
    ["is left out", async (first: Uint8Array, second: Uint8Array) => [second, first]],
    ["comes again under another counter", async (first: Uint8Array) => [first, null]],
  ])("an n that %s", async (_name, order) => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      const first = await peer.challenge();
      const second = await peer.challenge();
      const again = await peer.challenge({ n: 1, cid: "again" });
      for (const frame of await order(first, second)) peer.socket.send(frame ?? again);
      await peer.closed;
    });
    expect(await refusal(enter(server, { answers: { otp: () => new Promise(() => {}) } }), "protocol")).toMatchObject({
      closeCode: 4501,
      retryable: false,
    });
    expect(await server.peers[0]?.closed).toMatchObject({ code: 4501, reason: "out-of-order" });
  });

  it.each([
    ["a wrong F", { F: base64url.encode(new Uint8Array(32)) }],
    ["an nC that leaves out an answer", { nC: 0 }],
    ["an nC that was never said", { nC: 2 }],
    ["a wrong n", { n: 3 }],
  ])("%s", async (_name, fields) => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      await peer.ask();
      await peer.accept(fields);
      await peer.closed;
    });
    expect(await refusal(enter(server, { answers }), "protocol")).toMatchObject({ closeCode: 4501, retryable: false });
    expect((await server.peers[0]?.closed)?.code).toBe(4501);
    await played(server);
  });

  it("a record of another generation", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      peer.socket.send(await peer.seal({ n: 1, t: "denied", code: "denied" }, 1));
      await peer.closed;
    });
    expect(await refusal(enter(server), "protocol")).toMatchObject({ closeCode: 4501, sealed: false });
  });

  it("a second text denied", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.next();
      peer.bareDenied();
      peer.bareDenied();
      await peer.closed;
    });
    expect(await refusal(enter(server), "protocol")).toMatchObject({ closeCode: 4501 });
  });

  it("a flood while nobody reads", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      for (let count = 0; count < 80; count += 1) peer.bareDenied();
      await peer.closed;
    });
    await refusal(enter(server, { queueMax: 1, offer: () => new Promise(() => {}) }), "too-large");
  });

  it("a frame where none belongs: a message, an application record, a second hello", async () => {
    for (const frame of ["message", "application", "hello"]) {
      const server = await serve(async (peer) => {
        await peer.hello();
        await peer.readOpen();
        if (frame === "message") peer.message("sid-ann", 0, "early");
        else if (frame === "hello") await peer.hello();
        else {
          const record = await peer.challenge();
          record[0] = 0x21;
          peer.socket.send(record);
        }
        await peer.closed;
      });
      await refusal(enter(server), "protocol");
    }
  });
});

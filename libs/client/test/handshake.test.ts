import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { connect, PortcullisError, type Question } from "../src/mod.ts";
import { enter, pause, played, refusal, serve, world } from "./support/harness.ts";

const code = async () => "123456";

describe("a way in", () => {
  it("prompted: a challenge, an answer, and the session says what the server granted", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      expect(await peer.readOpen()).toEqual({
        dst: { label: "demo", path: "secret-path", query: "id=bob&room=2", id: "bob" },
        parameters: { room: "2" },
      });
      expect(await peer.ask()).toMatchObject({
        t: "answer",
        n: 1,
        cid: "cid-0",
        gate: "otp",
        at: "1",
        value: "123456",
      });
      expect(await peer.ask({ retry: true, attemptsLeft: 2 })).toMatchObject({ n: 2, cid: "cid-1", value: "654321" });
      await peer.accept();
    });
    const questions: Question[] = [];
    const session = await enter(server, {
      parameters: { room: "2" },
      clock: () => 1_000 + Date.now(),
      answers: {
        otp: (question) => {
          questions.push(question);
          return question.retry ? "654 321" : "１２３-456";
        },
      },
    });
    await played(server);
    expect(session).toMatchObject({
      sid: "sid-bob",
      member: "bob",
      edge: "edge-a",
      gates: ["key", "otp"],
      assurance: { key: true, memberBound: true, gates: ["otp"] },
      limits: { maxBytes: 1_000, perSecond: 1_000 },
      suite: "0020",
      server: { fingerprint: world.identity.fingerprint, pinned: true, edge: "edge-a" },
    });
    expect(questions[0]).toMatchObject({ gate: "otp", details: { digits: 6 }, attemptsLeft: 3, retry: false });
    expect(questions[0]?.ask?.autocomplete).toBe("one-time-code");
    await session.close();
  });

  it("offered: the answers go along with open, and are asked for only after the server was verified", async () => {
    const heard: string[] = [];
    const server = await serve(async (peer) => {
      await peer.hello();
      expect((await peer.readOpen()).answers).toEqual([{ gate: "otp", value: "123456" }]);
      await peer.accept();
    });
    const session = await enter(server, {
      offer: async () => {
        heard.push("offer");
        return [{ gate: "otp", value: "123456" }];
      },
      onFrame: (_direction, kind) => heard.push(kind),
    });
    expect(heard).toEqual(["hello", "offer", "open", "accepted"]);
    await session.close();
  });

  it("takes an app key from a function, and a WebSocket from ws", async () => {
    const server = await serve((peer) => peer.letIn());
    const session = await enter(server, { appKey: async () => world.appKeyText, webSocket: WebSocket });
    expect(session.sid).toBe("sid-bob");
    await session.close();
    expect(await session.closed).toMatchObject({ reason: "local", code: 1000 });
  });

  it("accepted is right when the server did not read the last answer any more", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      const accepted = await (async () => {
        peer.socket.send(await peer.challenge());
        return peer.accepted();
      })();
      await peer.next();
      peer.socket.send(accepted);
    });
    const session = await enter(server, { answers: { otp: code } });
    expect(session.sid).toBe("sid-bob");
    await session.close();
  });

  it("goes past options that the application knows nothing of, and asks the general callback where none is left", async () => {
    const options = [
      { at: "1.0", gate: "email" },
      { at: "1.1", gate: "otp" },
      { at: "1.2", gate: "otp" },
    ];
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      const answer = await peer.ask({ options });
      await peer.accept({
        gates: [answer.t === "answer" ? `${answer.gate}` : "none"],
        sid: answer.t === "answer" ? (answer.at ?? "").replace(".", "-") : "x",
      });
    });
    const first = await enter(server, { answers: { otp: code } });
    expect(first).toMatchObject({ gates: ["otp"], sid: "1-1" });
    const second = await enter(server, { onChallenge: () => ({ gate: "otp", at: "1.2", value: "123456" }) });
    expect(second).toMatchObject({ gates: ["otp"], sid: "1-2" });
    const third = await enter(server, { onChallenge: () => ({ value: "x" }) });
    expect(third).toMatchObject({ gates: ["email"], sid: "1-0" });
    await Promise.all([first.close(), second.close(), third.close()]);
  });

  it("tells of every frame, and of none what it carries", async () => {
    const told: string[] = [];
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      await peer.ask();
      await peer.accept();
      peer.message("sid-ann", 0, "canary-body");
      await peer.readMessage();
    });
    const session = await enter(server, {
      answers: { otp: code },
      parameters: { canary: "canary-parameter" },
      onFrame: (...frame) => {
        told.push(JSON.stringify(frame));
        throw new Error("the listener's own problem");
      },
    });
    await session.send("canary-sent");
    for await (const _ of session) break;
    await played(server);
    await session.close();
    const kinds = told.map((frame) => JSON.parse(frame).slice(0, 2).join(" "));
    for (const kind of ["hello", "challenge", "accepted", "message", "close"]) expect(kinds).toContain(`down ${kind}`);
    for (const kind of ["open", "answer", "message"]) expect(kinds).toContain(`up ${kind}`);
    const [, , secret = "?"] = world.appKeyText.split(".");
    for (const hidden of ["canary", "123456", "secret-path", "bob&room", secret]) {
      expect(told.join().includes(hidden), hidden).toBe(false);
    }
  });
});

describe("a way in that is refused", () => {
  it("sealed denied is the server's word, with its hint", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      await peer.ask();
      await peer.deny("denied", 30_000);
    });
    const error = await refusal(enter(server, { answers: { otp: code } }), "denied");
    expect(error).toMatchObject({ sealed: true, retryAfterMs: 30_000, closeCode: 4503, retryable: false });
  });

  it("a text denied is nobody's word: it adds a hint to the close", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.next();
      peer.bareDenied(7_000);
      peer.close("denied");
    });
    const error = await refusal(enter(server), "denied");
    expect(error).toMatchObject({ sealed: false, retryAfterMs: 7_000, closeCode: 4503 });
  });

  it("a text denied without a close does not keep anybody waiting", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.next();
      peer.bareDenied();
      await peer.closed;
    });
    const error = await refusal(enter(server, { timeoutMs: 10_000 }), "denied");
    expect(error.sealed).toBe(false);
  });

  it("a verdict that comes while the person thinks ends the question", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      peer.socket.send(await peer.challenge());
      await peer.deny("deadline");
    });
    const signals: AbortSignal[] = [];
    const never = new Promise<string>(() => {});
    const entering = enter(server, {
      answers: {
        otp: ({ signal }) => {
          signals.push(signal);
          return never;
        },
      },
    });
    expect(await refusal(entering, "timeout")).toMatchObject({ retryable: true, sealed: true });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it("another challenge takes the place of the one before", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      peer.socket.send(await peer.challenge());
      expect(await peer.ask()).toMatchObject({ n: 1, cid: "cid-1", value: "second" });
      await peer.accept();
    });
    const signals: AbortSignal[] = [];
    const session = await enter(server, {
      helloTimeoutMs: 100,
      answers: {
        otp: async ({ signal }) => {
          if (signals.push(signal) === 1) return new Promise<string>(() => {});
          expect(signals[0]?.aborted).toBe(true);
          await pause(150);
          return "second";
        },
      },
    });
    await played(server);
    await session.close();
  });

  it.each([
    ["expired-bundle", "expired-bundle", true],
    ["unavailable", "unavailable", true],
    ["rate", "unavailable", true],
    ["deadline", "timeout", true],
    ["denied", "denied", false],
    ["unsupported", "unsupported", false],
  ] as const)("a raw close %s is %s", async (name, errorCode, retryable) => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.next();
      peer.close(name);
    });
    expect(await refusal(enter(server), errorCode)).toMatchObject({ sealed: false, retryable });
  });

  it("giving up is said under seal", async () => {
    const said: string[] = [];
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      said.push((await peer.ask()).t);
      said.push(String((await peer.closed).code));
    });
    await refusal(enter(server, { answers: { otp: () => null } }), "cancelled");
    const mistake = new Error("the application's");
    const thrown = await refusal(enter(server, { answers: { otp: () => Promise.reject(mistake) } }), "cancelled");
    expect(thrown.cause).toBe(mistake);
    await refusal(enter(server), "unsupported");
    await refusal(enter(server, { answers: { otp: () => "1".repeat(5_000) } }), "too-large");
    await refusal(enter(server, { onChallenge: () => ({ gate: "sms", value: "1" }) }), "cancelled");
    await played(server);
    expect(said).toEqual(Array.from({ length: 5 }, () => ["cancel", "1000"]).flat());
  });

  it("a callback whose answer is none says so, by the gate's name: nothing is sent that would count as wrong", async () => {
    const said: string[] = [];
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      said.push((await peer.ask()).t);
    });
    for (const answer of [undefined, 123_456]) {
      const { cause } = await refusal(enter(server, { answers: { otp: () => answer as never } }), "cancelled");
      expect(cause).toEqual(new TypeError("The answer to otp is neither a text nor null."));
    }
    await played(server);
    expect(said).toEqual(["cancel", "cancel"]);
  });

  it("who has given up does not come back to be denied, whatever it was given up for", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      expect((await peer.ask()).t).toBe("cancel");
      await peer.closed;
    });
    const notLoaded = () => Promise.reject(new PortcullisError("unreachable"));
    await refusal(enter(server, { answers: { otp: notLoaded } }), "unreachable");
    await played(server);
    expect(server.peers).toHaveLength(1);
  });

  it("says what the application did not give, or asked for in vain", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.readOpen();
      await peer.ask();
    });
    const { message } = await refusal(enter(server), "unsupported");
    expect(message).toBe("Nothing answers otp: give answers.otp or onChallenge.");
    await played(server);
    const open = await serve((peer) => peer.letIn());
    for (const option of ["requireSealed", "requireEndToEnd"] as const) {
      const { message } = await refusal(enter(open, { [option]: true }), "unsupported");
      expect(message).toBe(`${option} excludes this socket.`);
    }
    const unpinned = await refusal(connect(open.url), "untrusted-server");
    expect(unpinned.message).toBe("Nothing vouches for the server: give appKey or pin.");
  });

  it("what can never work is a TypeError that names the option, before anything is dialled", async () => {
    for (const [options, message] of [
      [{ answers: { otp: "123456" } }, "answers.otp is not a function."],
      [{ onState: true }, "onState is not a function."],
      [{ clock: 5 }, "clock is not a function."],
      [{ webSocket: {} }, "webSocket is not a function."],
      [{ signal: new AbortController() }, "signal is not an AbortSignal."],
      [{ parameters: { room: 2 } }, "Not valid: parameters."],
    ] as const)
      await expect(connect("ws://127.0.0.1:1/a/b", { unpinned: "allow", ...options } as never)).rejects.toThrow(
        new TypeError(message),
      );
  });

  it("an address that the platform does not even try is told as such, and not repeated", async () => {
    class Refusing {
      constructor() {
        throw new DOMException("ws://127.0.0.1:1/a/b", "SecurityError");
      }
    }
    const dialling = connect("ws://127.0.0.1:1/a/b", { appKey: world.appKeyText, webSocket: Refusing as never });
    expect(await refusal(dialling, "unreachable")).toMatchObject({
      retryable: false,
      message: "The platform does not try this address: from a page over https it has to be wss.",
    });
  });

  it("a connection that the page's own policy forbids, of which some browsers tell by no close, is unreachable at once", async () => {
    class Forbidden extends EventTarget {
      readonly readyState = 3;
      constructor() {
        super();
        setTimeout(() => this.dispatchEvent(new Event("error")));
      }
      close() {}
    }
    const startedMs = performance.now();
    await refusal(
      connect("ws://127.0.0.1:1/a/b", { appKey: world.appKeyText, webSocket: Forbidden as never }),
      "unreachable",
    );
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  it("a server that is not there is unreachable, one that says nothing too, one that never decides a timeout", async () => {
    const gone = await serve(async () => {});
    await gone.stop();
    await refusal(enter(gone), "unreachable");
    const silent = await serve(async (peer) => void (await peer.closed));
    await refusal(enter(silent, { helloTimeoutMs: 60 }), "unreachable");
    const slow = await serve(async (peer) => {
      await peer.hello();
      await peer.closed;
    });
    await refusal(enter(slow, { timeoutMs: 200 }), "timeout");
  });

  it("a server that does not speak the subprotocol, or wants compression, is left", async () => {
    const server = await serve((peer) => peer.letIn());
    for (const [property, value, expected] of [
      ["protocol", "", "unsupported"],
      ["extensions", "permessage-deflate", "protocol"],
    ] as const) {
      class Other extends WebSocket {}
      Object.defineProperty(Other.prototype, property, { get: () => value });
      await refusal(enter(server, { webSocket: Other }), expected);
    }
  });

  it("leaves no timer and no listener behind", async () => {
    const set = vi.spyOn(globalThis, "setTimeout");
    const clear = vi.spyOn(globalThis, "clearTimeout");
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.next();
      peer.close("denied");
    });
    const { signal } = new AbortController();
    await refusal(enter(server, { signal, timeoutMs: 123_457, helloTimeoutMs: 54_321 }), "denied");
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    const ours = set.mock.results.filter((_, index) => [123_457, 54_321].includes(Number(set.mock.calls[index]?.[1])));
    const cleared = clear.mock.calls.map(([timer]) => timer);
    expect(ours).toHaveLength(2);
    for (const { value } of ours) expect(cleared).toContain(value);
    vi.restoreAllMocks();
  });
});

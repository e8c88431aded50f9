import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { EngineName } from "./types.ts";

/** Asks in the engine's own protocol: an open port alone may be a proxy in front of an engine that is still starting. */
const probes: Record<EngineName, { readonly send: string; readonly expect: RegExp }> = {
  nats: { send: "", expect: /^INFO / },
  // An error means that it wants a password, which is an answer too.
  redis: { send: "PING\r\n", expect: /^(\+PONG|-NOAUTH)/ },
  mongodb: { send: "", expect: /^/ },
};

/** @throws when it does not answer in time. */
export async function ready(engine: EngineName, host: string, port: number, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await answers(engine, host, port)) return;
    if (Date.now() > deadline) throw new Error(`${engine} at ${host}:${port} does not answer`);
    await sleep(50);
  }
}

function answers(engine: EngineName, host: string, port: number): Promise<boolean> {
  const { send, expect } = probes[engine];
  return new Promise((resolve) => {
    let received = "";
    const socket = connect({ host, port });
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(1000, () => end(false));
    socket.on("error", () => end(false));
    socket.on("close", () => end(false));
    socket.on("connect", () => {
      if (engine === "mongodb") end(true);
      else socket.write(send);
    });
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      if (expect.test(received)) end(true);
    });
  });
}

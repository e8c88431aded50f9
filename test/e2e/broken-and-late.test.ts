import type { ConnectOptions } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Receiver, startReceiver } from "../../libs/runtime/test/support/webhook-receiver.ts";
import { type IdentityProvider, startIdentityProvider } from "./support/identity-provider.ts";
import { sessionKeeper } from "./support/sessions.ts";
import { makeSocket } from "./support/socket.ts";
import { startTcpProxy, type TcpProxy } from "./support/tcp-proxy.ts";
import { answered, outboxKey, setPolicy, type Way, ways } from "./support/ways.ts";
import { startWorld, type World } from "./support/world.ts";

/** Slow, for there are many gates: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";

vi.setConfig({ testTimeout: 60_000 });
const keeper = sessionKeeper();
let world: World;
let provider: IdentityProvider;
let program: Receiver;
let proxy: TcpProxy;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { OUTBOX_KEY: outboxKey, OUTBOUND_ALLOW: "http://127.0.0.1" } });
  [provider, program] = [await startIdentityProvider(), await startReceiver()];
}, 60_000);
beforeEach(async () => {
  proxy = await startTcpProxy(world.edges[0] ?? "");
});
afterEach(async () => {
  await keeper.closeAll();
  await proxy.close();
});
afterAll(async () => {
  await world.close();
  await Promise.all([provider.close(), program.close()]);
});

/** A question is over long before the handshake, and nobody gets a second one. */
const terms = { deadlines: { answer: "5s", wait: "30s", handshake: "10m" }, onFailure: { attempts: 1 } };
/** A code of an authenticator is still good then. */
const lateMs = ({ waits }: Way) => (waits ? 31_000 : 6_000);

async function bobAt(way: string) {
  const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }] });
  const at = { world, socket, provider, program };
  const made = await ways[way]?.(at);
  if (made === undefined) throw new Error(`nobody knows how to pass ${way}`);
  await setPolicy(at, [made.item], terms);
  const sessions = async () =>
    (await world.owner.get<{ sessions: { edge: string }[] }>(`/v1/sockets/${socket.id}/sessions`)).sessions;
  return { socket, way: made, sessions };
}

/** @param once done when the right answer is there, and has not been given */
function options({ options }: Way, appKey: string, once: () => void): ConnectOptions {
  let done = false;
  const ready = () => {
    if (done) return;
    done = true;
    once();
  };
  return { appKey, onWait: () => undefined, ...options(ready) };
}

describe.runIf(full).each(Object.keys(ways))("the right answer to %s", (name) => {
  test("lets in at another edge, where the connection breaks before it is given", async () => {
    const { socket, way, sessions } = await bobAt(name);
    const cut = vi.fn(() => {
      proxy.cut();
      proxy.leadTo(world.edges[1] ?? "");
    });
    await world.fresh();
    const session = await keeper.connect(proxy.through(`${socket.url}?id=bob`), options(way, socket.appKey, cut));
    expect(cut).toHaveBeenCalledOnce();
    expect(session.edge).toBe("edge-2");
    expect(session.gates).toEqual(["key", name.split(" ")[0]]);
    expect(await sessions()).toHaveLength(1);
  });

  test("lets nobody in when its time is over", async () => {
    const { socket, way, sessions } = await bobAt(name);
    const wait = vi.fn(() => world.advance(lateMs(way)));
    // The clock has moved at each gate before.
    await world.fresh();
    const entering = keeper.connect(`${socket.url}?id=bob`, options(way, socket.appKey, wait));
    const refusal: unknown = await entering.catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: "PortcullisError" });
    expect(wait, String(refusal)).toHaveBeenCalledOnce();
    expect(await sessions()).toEqual([]);
  });
});

test("every gate that asks is among them, and every kind of question, but for those at which somebody else decides", () => {
  expect(Object.keys(ways).toSorted()).toEqual(answered.toSorted());
});

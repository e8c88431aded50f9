import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, PortcullisError } from "@portcullis/client";
import { parseHello } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { WebSocketServer } from "ws";
import { keyAndOtp, keyOnly, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { alterBundle, forgedHello, reSignedHello, withBundle } from "./support/bundle.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { bareDenied, closeOf } from "./support/closes.ts";
import { knock } from "./support/knock.ts";
import { type Passing, passOn, type Relay, startRelay } from "./support/relay.ts";
import { acceptsIn } from "./support/sessions.ts";

vi.setConfig({ testTimeout: 10_000 });

let world: World;
let bystanders: Bystanders;
let keyed: OwnedSocket;
/** Its policy is `path` alone: Base mode is enough. */
let open: OwnedSocket;
let other: OwnedSocket;
let relay: Relay;
let fingerprint: string;

beforeAll(async () => {
  world = await startWorld();
  bystanders = await startBystanders(world);
  keyed = await makeSocket(world.owner, keyOnly);
  const pathOnly = { gates: [{ gate: "path" }], anonymous: true };
  open = await makeSocket(world.owner, pathOnly);
  other = await makeSocket(world.owner, pathOnly);
  relay = await startRelay(world.url.replace(/^http/, "ws"));
  fingerprint = keyed.appKey.split(".").at(-1) ?? "";
});
afterEach(async () => {
  relay.tamper = passOn;
  relay.divert = (target) => target;
  await bystanders.undisturbed();
});
afterAll(async () => {
  await relay.close();
  await bystanders.leave();
  await world.close();
});

type Options = Parameters<typeof connect>[1];

async function outcome(url: string, options: Options): Promise<string> {
  try {
    const session = await connect(relay.through(url), { timeoutMs: 4_000, ...options });
    const { suite } = session;
    await session.close();
    return `accepted ${suite}`;
  } catch (error) {
    if (error instanceof PortcullisError) return error.code;
    throw error;
  }
}

/** Replaces the text frame that each direction begins with. */
const replace =
  (from: Passing["from"], change: (text: string) => string | Promise<string>) =>
  async (frame: Passing): Promise<Passing[]> =>
    frame.from === from && frame.index === 0
      ? [{ ...frame, data: Buffer.from(await change(frame.data.toString())) }]
      : [frame];

const clientFrames = () => relay.seen.filter(({ from }) => from === "client").length;

const withoutStrongSuite = (text: string) =>
  alterBundle(text, ({ suites, ...bundle }) => {
    const { "647a": _strong, ...weak } = suites as Record<string, string>;
    return { ...bundle, suites: weak };
  });

describe("nobody between can weaken what two sides agree on", () => {
  test("left alone, they take the strongest suite", async () => {
    expect(await outcome(keyed.url, { appKey: keyed.appKey })).toBe("accepted 647a");
  });

  test.each<[string, (text: string) => string | Promise<string>]>([
    ["the post-quantum suite taken out of the hello", withoutStrongSuite],
    [
      "a weaker version in the hello",
      (text) => alterBundle(text, (bundle) => ({ ...bundle, v: ["portcullis.v1", "portcullis.v0"] })),
    ],
    ["a hello that never expires", (text) => alterBundle(text, (bundle) => ({ ...bundle, exp: 4_102_444_800 }))],
    ["another key pair's name", (text) => alterBundle(text, (bundle) => ({ ...bundle, kid: "another" }))],
    ["the server's keys under another identity", reSignedHello],
    ["an identity and keys of the attacker's own", forgedHello],
    [
      "the attacker's bundle under the server's signature",
      async (text) => {
        const { bundle } = parseHello(await forgedHello(text));
        return withBundle(parseHello(text), bundle);
      },
    ],
  ])("%s: a client with a pin sends nothing at all", async (_what, change) => {
    relay.tamper = replace("server", change);
    expect(await outcome(keyed.url, { appKey: keyed.appKey })).toBe("untrusted-server");
    expect(clientFrames()).toBe(0);
    expect(await outcome(open.url, { pin: fingerprint })).toBe("untrusted-server");
    expect(clientFrames()).toBe(0);
  });

  test("a client without key and pin does not even connect, unless its user has chosen so", async () => {
    const seen = relay.seen.length;
    expect(await outcome(open.url, {})).toBe("untrusted-server");
    expect(relay.seen.length).toBe(seen);
  });

  test("what such a choice is worth: it talks to whoever answers, and says that it does", async () => {
    // Neither a suite that is missing from a badly signed hello …
    relay.tamper = replace("server", withoutStrongSuite);
    expect(await outcome(open.url, { unpinned: "allow" })).toBe("untrusted-server");
    // … nor anything that the attacker signs themselves comes through: the box is sealed to the attacker's key.
    relay.tamper = replace("server", forgedHello);
    expect(await outcome(open.url, { unpinned: "allow" })).toBe("denied");
    expect(clientFrames()).toBe(1);
  });

  test.each<[string, (fields: Record<string, string>) => object, string]>([
    ["the weaker suite named in open", (fields) => ({ ...fields, suite: "0020" }), "protocol"],
    [
      "the weaker suite with a key of its length",
      (fields) => ({ ...fields, suite: "0020", enc: "A".repeat(43) }),
      "denied",
    ],
    ["the PSK taken out, for Base mode", (fields) => ({ ...fields, psk: "" }), "denied"],
    ["another key id", (fields) => ({ ...fields, psk: `k:${other.keyId}` }), "denied"],
    ["a field that asks for less", (fields) => ({ ...fields, mode: "base" }), "protocol"],
  ])("%s: the server does not open it", async (_what, change, code) => {
    const accepts = acceptsIn(world);
    relay.tamper = replace("client", (text) => JSON.stringify(change(JSON.parse(text))));
    expect(await outcome(keyed.url, { appKey: keyed.appKey })).toBe(code);
    expect(acceptsIn(world)).toBe(accepts);
  });

  test("below its floor a client says nothing, also where the hello is signed by whom it names", async () => {
    relay.tamper = replace("server", forgedHello);
    expect(await outcome(open.url, { unpinned: "allow", minSuite: "647a" })).toBe("unsupported");
    expect(clientFrames()).toBe(0);
    // It is the floor that keeps it from it.
    await outcome(open.url, { unpinned: "allow", minSuite: "0020" });
    expect(clientFrames()).toBe(1);
  });

  test("a hello that was recorded earlier leads to a denial: the edge's own values are in everything that follows", async () => {
    let recorded = "";
    relay.tamper = replace("server", (text) => {
      recorded = text;
      return text;
    });
    expect(await outcome(keyed.url, { appKey: keyed.appKey })).toBe("accepted 647a");
    const accepts = acceptsIn(world);
    relay.tamper = replace("server", () => recorded);
    expect(await outcome(keyed.url, { appKey: keyed.appKey })).toBe("denied");
    expect(acceptsIn(world)).toBe(accepts);
  });

  test("a recorded hello is of no use at all once its bundle has expired", async () => {
    let recorded = "";
    relay.tamper = replace("server", (text) => {
      recorded = text;
      return text;
    });
    await outcome(keyed.url, { appKey: keyed.appKey });
    relay.tamper = replace("server", () => recorded);
    const clock = () => Date.now() + 200_000;
    expect(await outcome(keyed.url, { appKey: keyed.appKey, clock })).toBe("expired-bundle");
    expect(clientFrames()).toBe(0);
  });

  test("a server that does not select the subprotocol is left before anything is said", async () => {
    const server = new WebSocketServer({ port: 0, host: "localhost", handleProtocols: () => false });
    const heard: unknown[] = [];
    server.on("connection", (client) => client.on("message", (data) => heard.push(data)));
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const entering = connect(`ws://localhost:${port}/x/y`, { appKey: keyed.appKey, timeoutMs: 4_000 });
    await expect(entering).rejects.toBeInstanceOf(PortcullisError);
    expect(heard).toEqual([]);
    for (const client of server.clients) client.terminate();
    server.close();
  });
});

describe("where the owner takes the post-quantum suite alone", () => {
  const alone = { encryption: { suite: "post-quantum" } };

  test("who knows key and code and speaks under the other gets what a stranger gets, and nobody comes in", async () => {
    const strict = await makeSocket(world.owner, { ...keyAndOtp, ...alone });
    const bob = await makeMember(world.owner, strict, "bob");
    const url = `${strict.url}?id=bob`;
    const accepts = acceptsIn(world);
    const answers = () => [{ gate: "otp", value: bob.code(world.now()) }];
    const weak = await knock(url, { appKey: strict.appKey, suite: "0020", answers: answers() });
    expect(await weak.next()).toBe(bareDenied);
    expect(await weak.closed).toEqual(closeOf("denied"));
    expect(acceptsIn(world)).toBe(accepts);
    // Nor was the code looked at: it is still good.
    const strong = await knock(url, { appKey: strict.appKey, suite: "647a", answers: answers() });
    expect(await strong.hear()).toMatchObject({ t: "accepted", member: "bob" });
    strong.leave();
  });

  test("the SDK comes in by itself, since it takes the best that both have", async () => {
    const strict = await makeSocket(world.owner, { ...keyOnly, ...alone });
    expect(await outcome(strict.url, { appKey: strict.appKey })).toBe("accepted 647a");
  });
});

describe("nobody between can lead a client to another place than it means", () => {
  const at = (url: string) => new URL(url).pathname;
  const base = { pin: "" };
  beforeAll(() => {
    base.pin = fingerprint;
  });

  test("left alone, both sockets take anybody who knows their path", async () => {
    for (const { url } of [open, other]) expect(await outcome(url, base)).toBe("accepted 647a");
  });

  test.each<[string, () => string, (target: string) => string]>([
    ["to another socket", () => open.url, () => at(other.url)],
    [
      "to another socket's label",
      () => open.url,
      (target) => target.replace(at(open.url).split("/")[1] ?? "", at(other.url).split("/")[1] ?? ""),
    ],
    ["to another path of the same label", () => open.url, (target) => `${target}x`],
    ["from a path that leads nowhere to one that leads in", () => `${open.url}x`, () => at(open.url)],
    ["to another member", () => `${open.url}?id=ann`, (target) => target.replace("ann", "bob")],
    ["to no member", () => `${open.url}?id=ann`, (target) => target.replace("?id=ann", "")],
    ["with one more thing in the query", () => open.url, (target) => `${target}?room=2`],
    [
      "by another spelling of the same path",
      () => open.url,
      (target) => target.replace(/.$/, (last) => `%${last.charCodeAt(0).toString(16)}`),
    ],
  ])("%s", async (_where, from, divert) => {
    const accepts = acceptsIn(world);
    relay.divert = divert;
    expect(await outcome(from(), base)).toBe("denied");
    expect(acceptsIn(world)).toBe(accepts);
  });

  test("with a key: not even where the key is the right one", async () => {
    relay.divert = (target) => `${target}?id=bob`;
    expect(await outcome(keyed.url, { appKey: keyed.appKey })).toBe("denied");
  });
});

import { randomBytes, randomInt } from "node:crypto";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectToNats } from "@nats-io/transport-node";
import {
  type ConnectOptions,
  connectConsumer,
  createEndToEnd,
  createRecipient,
  type Session,
  type SessionState,
} from "@portcullis/client";
import { handshakeOpen, services, subjectOf, verifyFactors } from "@portcullis/contracts";
import { generateEndToEndIdentity, parseAppKey } from "@portcullis/crypto";
import { createLogger, startTelemetry, tracerFor } from "@portcullis/runtime";
import { Redis } from "ioredis";
import { MongoClient } from "mongodb";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { readSecrets } from "../../deploy/local/secrets.ts";
import { addSecondFactor, confirmAddress, type Person, person } from "./support/account.ts";
import { createCanaries } from "./support/canaries.ts";
import { plantClientKeys } from "./support/client-keys.ts";
import { type DistributedWorld, startDistributedWorld } from "./support/distributed-world.ts";
import { everythingInMongo, everythingInRedis } from "./support/engine-contents.ts";
import { failEverywhere } from "./support/failures.ts";
import { recordFrames } from "./support/frame-recorder.ts";
import { at, read, sessionKeeper } from "./support/sessions.ts";
import { makeKey, makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";

const full = process.env.PORTCULLIS_FULL === "1";
const keeper = sessionKeeper();
const frames = recordFrames();
/** Must be nowhere. */
const canaries = createCanaries();
/** What is said on a socket that does not seal messages: readable by whoever holds the connection, and by nobody else. */
const unsealed = createCanaries();
/** What is sealed for a socket, and not beyond: `keys` reads it. */
const beneath = createCanaries();
const opened: Uint8Array[] = [];
/** What NATS asks of the services themselves, inside the TLS of a deployment. */
const passwords = createCanaries();
let world: DistributedWorld;
let missing: string | null = null;
let failed: { readonly lockedOut: string; readonly decoyed: string };

const channelNames = [
  "frames",
  "bus",
  "Redis was sent",
  "Redis holds",
  "MongoDB was sent",
  "MongoDB holds",
  "logs",
  "signals",
] as const;
type Channel = (typeof channelNames)[number];
const channels: Readonly<Record<Channel, () => Buffer | Promise<Buffer>>> = {
  frames: frames.recorded,
  bus: () => world.nats.recorded(),
  "Redis was sent": () => world.redis.recorded(),
  "Redis holds": () => everythingInRedis(world.redis.url),
  "MongoDB was sent": () => world.mongodb.recorded(),
  "MongoDB holds": () => everythingInMongo(world.mongodb.url),
  logs: () => world.logs(),
  signals: () => Buffer.concat(world.otlp.requests.map(({ body }) => body)),
};
/** What has no business anywhere else, with quotes, line ends and letters that JSON and URLs write in another way. */
const awkward = (name: string) => `${randomBytes(8).toString("hex")} "${name}"\n+ 100 % für / Ω?`;

describe.runIf(full)("no planted secret", () => {
  beforeAll(async () => {
    const started = await startDistributedWorld();
    if ("missing" in started) {
      missing = started.missing;
      return;
    }
    world = started;
    plantClientKeys(canaries);
    await plantOperators();
    await secondFactor();
    const token = await ownersToken();
    await talkSealed();
    await talkUnsealed();
    await talkBeyond();
    await comeByTicket(token);
    await comeByMail();
    const from = canaries.plant("network", "203.0.113.211");
    const { owner, edges } = world;
    failed = await failEverywhere({ owner, canaries, edge: edges[1], from, webSocket: frames.webSocket });
    await plantControls();
    // Metrics go out now and then, and when a process ends.
    for (const replica of world.replicas) replica.kill("SIGTERM");
    const paths = () => new Set(world.otlp.requests.map(({ path }) => path));
    await vi.waitFor(() => expect(paths()).toEqual(new Set(["/v1/traces", "/v1/metrics"])), { timeout: 10_000 });
    await world.allReady();
  }, 240_000);
  beforeEach(({ skip }) => {
    if (missing !== null) skip(`missing: ${missing}`);
  });
  afterAll(async () => {
    await keeper.closeAll();
    if (missing === null) await world?.close();
  }, 60_000);

  test.for(channelNames)("is in: %s", async (channel) => {
    expect(canaries.in(await channels[channel]())).toEqual([]);
  });

  test("goes unnoticed: what was put into each channel on purpose is found there", async () => {
    for (const channel of channelNames)
      expect(
        controls.in(await channels[channel]()).map((told) => told.split(" (")[0]),
        channel,
      ).toContain(channel);
    // And these are the bytes of what happened here.
    const { socketId, sid } = sealed;
    const known: Readonly<Record<Channel, string>> = {
      frames: '"t":"hello"',
      bus: verifyFactors.name,
      "Redis was sent": sid,
      "Redis holds": `identity:hold:gate:${failed.lockedOut}`,
      "MongoDB was sent": socketId,
      "MongoDB holds": failed.decoyed,
      logs: '"verdict":"accept"',
      signals: verifyFactors.name,
    };
    for (const channel of channelNames)
      expect((await channels[channel]()).includes(known[channel]), channel).toBe(true);
    for (const kind of ["canary-key", "lockout", "decoy"])
      expect(world.logs().includes(`"kind":"${kind}"`), kind).toBe(true);
  });

  test("was forgotten: keys of handshakes, sessions and groups are among them, and all that people know", () => {
    const names = canaries.names.map((name) => name.replace(/ #\d+$/, ""));
    // K, PRK and PRK2, hs_c, hs_s, ap_c, ap_s, G, and record keys in either direction.
    const derived = ["psk", "c hs", "s hs", "park", "c ap", "s ap", "resume", "words", "key", "w", "g"].map(
      (label) => `"${label}"`,
    );
    const used = ["psk", "c hs", "c ap", "g"].map((label) => `key of "${label}"`);
    const endToEnd = ['"e2e prekey"', 'key of "e2e prekey"', "Ed25519", "shared secret"];
    expect(names).toEqual(expect.arrayContaining([...derived, ...used, ...endToEnd, "AES-GCM"]));
    expect(names).toEqual(expect.arrayContaining(["code", "answer secret", "sealed message", "master key of keys"]));
  });

  test("is in what `keys` opens and keeps of a socket where bodies are sealed end to end: all that who is on it hears", () => {
    const bytes = Buffer.concat(opened);
    expect(canaries.in(bytes)).toEqual([]);
    expect(beneath.in(bytes)).toEqual(["on the socket (raw)"]);
  });

  test("is a body on a socket that does not seal: frames show it, and nothing behind the edge", async () => {
    for (const channel of channelNames)
      expect(unsealed.in(await channels[channel]()), channel).toEqual(channel === "frames" ? ["body (raw)"] : []);
  });

  test("is a service's NATS password, but where NATS asks for it", async () => {
    for (const channel of channelNames) {
      const all = services.map((service) => `NATS password of ${service} (raw)`);
      expect(passwords.in(await channels[channel]()), channel).toEqual(channel === "bus" ? all : []);
    }
  });
});

const connect = (url: string, options: ConnectOptions) =>
  keeper.connect(url, { webSocket: frames.webSocket, ...options });
let sealed = { socketId: "", sid: "" };

async function plantOperators(): Promise<void> {
  const { bootstrapToken, services: secrets } = await readSecrets(world.dataDir);
  canaries.plant("bootstrap token", bootstrapToken);
  for (const service of services) {
    const { masterKey, sealPrivate, natsPassword } = secrets[service];
    for (const [name, text] of [
      ["master key", masterKey],
      ["seal key", sealPrivate],
    ] as const) {
      canaries.plant(`${name} of ${service}`, Buffer.from(text, "base64url"));
      canaries.plant(`${name} of ${service}, as a setting`, text);
    }
    passwords.plant(`NATS password of ${service}`, natsPassword);
  }
}

/** @returns an API token */
async function ownersToken(): Promise<string> {
  const { password } = world.credentials;
  const owner = person(world, world.credentials);
  canaries.plant("owner's e-mail", owner.email);
  canaries.plant("owner's password", password);
  const cookie = await plantedCookie(owner);
  await confirmAddress(owner, cookie);
  canaries.plant("mail token", await owner.mailed(/Confirm/));
  await owner.signIn({ password: canaries.make("wrong password") });
  const made = await owner.post("/v1/account/tokens", { label: "test", password }, cookie);
  return canaries.plant("API token", String(made.body.secret));
}

async function secondFactor(): Promise<void> {
  const who = person(world, { password: canaries.make("password") });
  await who.signUp();
  const cookie = await plantedCookie(who);
  const { app, recoveryCodes } = await addSecondFactor({ now: Date.now }, who, cookie);
  canaries.plant("owner's authenticator", app.secret.bytes);
  const [recoveryCode = ""] = recoveryCodes;
  canaries.plant("recovery code", recoveryCode);
  await who.signedIn({ recoveryCode });
}

async function plantedCookie(who: Person): Promise<string> {
  const cookie = await who.signedIn();
  canaries.plant(`cookie of ${who.from}`, cookie);
  canaries.plant(`secret of the cookie of ${who.from}`, cookie.slice(cookie.indexOf("=") + 1));
  return cookie;
}

async function plantedSocket(policy: object): Promise<OwnedSocket> {
  const socket = await makeSocket(world.owner, policy);
  canaries.plant(`path of ${socket.id}`, new URL(socket.url).pathname.split("/").slice(2).join("/"));
  canaries.plant(`app key of ${socket.id}`, parseAppKey(socket.appKey).secret.slice());
  canaries.plant(`text of app key of ${socket.id}`, socket.appKey.split(".")[2] ?? "");
  return socket;
}

/** By code and proof, at both edges, over a connection that breaks, into another epoch. */
async function talkSealed(): Promise<void> {
  const gates = [{ gate: "key" }, { gate: "otp" }, { gate: "question" }];
  const encryption = { session: "required" };
  const socket = await plantedSocket({ gates, encryption, messaging: { history: { messages: 50 } }, resume: "1m" });
  const states: string[] = [];
  const join = async (name: string, edge: string | undefined): Promise<Session> => {
    const app = await makeMember(world.owner, socket, name);
    canaries.plant(`authenticator of ${name}`, app.secret.bytes);
    const members = `/v1/sockets/${socket.id}/members/${name}`;
    const { secret } = await world.owner.post<{ secret: string }>(`${members}/answer-secret`);
    canaries.plant("answer secret", secret);
    canaries.plant("answer secret without its prefix", secret.slice("pa1.".length));
    const codes = [canaries.make("wrong code"), canaries.plant("code", app.code(Date.now()))];
    return connect(`${at(edge, socket.url)}?id=${name}`, {
      appKey: socket.appKey,
      answers: { otp: () => codes.shift() ?? null },
      answerSecret: secret,
      onState: ({ is }: SessionState) => void states.push(is),
    });
  };
  const [one, two] = world.edges;
  const [bob, ann] = [await join("bob", one), await join("ann", two)];
  sealed = { socketId: socket.id, sid: bob.sid };
  const say = async (from: Session, to: Session, name: string) => {
    const text = canaries.plant(name, awkward(name));
    await from.send(text);
    expect(await read(to, 1)).toEqual([text]);
  };
  await say(bob, ann, "sealed message");
  await say(ann, bob, "sealed answer");
  frames.breakAll();
  // Set-up polls outside of tests as well.
  const resumed = () => states.filter((is) => is === "resumed");
  await vi.waitFor(() => expect(resumed()).toHaveLength(2), { timeout: 20_000 });
  await say(bob, ann, "sealed message over another connection");
  const eve = await join("eve", one);
  await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${eve.sid}`);
  await eve.closed;
  await say(ann, bob, "sealed message of another epoch");
}

/** End to end, to the owner's program and back; one hears that on the socket and has no part in it, and another has it said again out of what is kept. */
async function talkBeyond(): Promise<void> {
  const encryption = { session: "required", endToEnd: "allowed" };
  const messaging = { history: { messages: 50 } };
  const socket = await plantedSocket({
    gates: [{ gate: "key" }],
    anonymous: true,
    resume: "1m",
    encryption,
    messaging,
  });
  const { appKey } = await makeKey(world.owner, socket.id, "consumer");
  const [one, two] = world.edges;
  const { webSocket } = frames;
  const identity = canaries.plant("end-to-end identity", generateEndToEndIdentity());
  canaries.plant("end-to-end identity without its prefix", identity.slice("pe1.".length));
  const program = await connectConsumer(at(two, socket.url), { appKey, webSocket });
  const recipient = await createRecipient(program, { identity });
  const bob = await connect(at(one, socket.url), socket);
  const states: string[] = [];
  const listens = await connect(at(two, socket.url), { ...socket, onState: ({ is }) => void states.push(is) });
  const sender = await createEndToEnd(bob, { recipients: { consumer: recipient.fingerprint } });

  const [asked, answered] = ["body sealed end to end", "answer sealed end to end"].map((name) =>
    canaries.plant(name, awkward(name)),
  );
  const known = beneath.plant("on the socket", awkward("on the socket"));
  frames.breakLast();
  await bob.send(known);
  await sender.send(asked ?? "");
  for await (const message of program) {
    if (message.text() === known) continue;
    const letter = await recipient.open(message);
    expect(letter?.text()).toBe(asked);
    await letter?.sender.reply(answered ?? "");
    break;
  }
  for await (const message of bob) {
    expect((await sender.open(message))?.text()).toBe(answered);
    opened.push(message.bytes);
    break;
  }
  await vi.waitFor(() => expect(states).toContain("resumed"), { timeout: 20_000 });
  for await (const message of listens) if (opened.push(message.bytes) === 3) break;
  await program.close();
}

async function talkUnsealed(): Promise<void> {
  const socket = await plantedSocket({ gates: [{ gate: "key" }], anonymous: true });
  const [one, two] = world.edges;
  const speaks = await connect(at(one, socket.url), socket);
  const hears = await connect(at(two, socket.url), socket);
  await speaks.send(unsealed.plant("body", awkward("body")));
  expect(await read(hears, 1)).toHaveLength(1);
  const stray = `${at(one, socket.url)}/${canaries.make("stray path")}?${canaries.make("stray query")}`;
  await connect(stray.replace("/s", "/x"), socket).catch(() => undefined);
}

/** By the page at a socket's address, and by a program of the owner's. */
async function comeByTicket(token: string): Promise<void> {
  const socket = await plantedSocket({ gates: [{ gate: "key" }, { gate: "ticket" }] });
  const passphrase = canaries.make("passphrase");
  const phone = canaries.plant("phone", `49${randomInt(1e9, 9e9)}${randomInt(10, 99)}`);
  await world.owner.post(`/v1/sockets/${socket.id}/members`, {
    name: "bob",
    passphrase,
    contacts: { phone: `+${phone}` },
  });
  const mint = async (url: string, body: object, authorization: Readonly<Record<string, string>> = {}) => {
    const headers = { "content-type": "application/json", ...authorization };
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    const { ticket } = (await answer.json()) as { ticket: string };
    canaries.plant("ticket", ticket);
    canaries.plant("ticket's secret", ticket.split(".").at(-1) ?? "");
    return ticket;
  };
  const bearer = { authorization: `Bearer ${token}` };
  for (const ticket of [
    await mint(socket.url.replace(/^ws/, "http"), { id: "bob", passphrase }),
    await mint(`${world.url}/v1/sockets/${socket.id}/tickets`, { member: "bob" }, bearer),
  ])
    await connect(`${socket.url}?id=bob`, { appKey: socket.appKey, ticket });
}

async function comeByMail(): Promise<void> {
  const socket = await plantedSocket({ gates: [{ gate: "key" }, { gate: "email" }] });
  const email = `${canaries.make("contact")}@example.com`;
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", contacts: { email } });
  let broken = false;
  const code = async () => {
    // The handshake goes on over another connection, and asks again.
    if (!broken) {
      broken = true;
      frames.breakAll();
    }
    const sent = async () => /\b\d{6}\b/.exec((await world.sentTo(email))[0] ?? "")?.[0] ?? "";
    return canaries.plant("mailed code", await vi.waitUntil(sent, { timeout: 10_000 }));
  };
  await connect(`${socket.url}?id=bob`, { appKey: socket.appKey, answers: { email: code } });
}

/** One for each channel, which must be found in it: each by the way on which secrets would come there, and each in other clothes. */
const controls = createCanaries();

async function plantControls(): Promise<void> {
  const made = Object.fromEntries(channelNames.map((name) => [name, awkward(name)])) as Record<Channel, string>;
  for (const name of channelNames) controls.plant(name, made[name]);
  const [edge] = world.edges;
  const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }], anonymous: true });
  await (await connect(at(edge, socket.url), socket)).send(made.frames);

  const { natsPassword } = (await readSecrets(world.dataDir)).services.edge;
  const { host } = new URL(world.nats.url);
  const bus = await connectToNats({ servers: host, user: "edge", pass: natsPassword, inboxPrefix: "_INBOX_edge" });
  bus.publish(subjectOf(handshakeOpen, "nobody"), JSON.stringify({ deep: made.bus }));
  await bus.drain();

  const redis = new Redis(world.redis.url);
  await redis.set("sent", Buffer.from(made["Redis was sent"]).toString("hex"), "PX", 1);
  await redis.hset("held", "field", encodeURIComponent(made["Redis holds"]));
  await redis.quit();

  const mongo = await new MongoClient(world.mongodb.url).connect();
  const collection = mongo.db().collection("controls");
  const { insertedId } = await collection.insertOne({ sent: Buffer.from(made["MongoDB was sent"]) });
  await collection.deleteOne({ _id: insertedId });
  await collection.insertOne({ deep: [{ held: Buffer.from(`x${made["MongoDB holds"]}`).toString("base64url") }] });
  await mongo.close();

  const write = (line: string) => appendFileSync(join(world.dataDir, "logs", "edge-1.log"), line);
  createLogger({ service: "edge", destination: { write } }).info("a control", { text: made.logs });

  const telemetry = startTelemetry({
    service: "control",
    version: "0",
    instance: "0",
    otlpEndpoint: world.otlp.endpoint,
    sampling: 1,
  });
  tracerFor("control")
    .startSpan("control", { attributes: { text: made.signals } })
    .end();
  await telemetry.shutdown();
  await sleep(1_500);
}

import { type Bus, BusUnavailableError, createServiceSeal, generateServiceKeyPair } from "@portcullis/bus";
import type { Observed } from "@portcullis/bus/memory";
import {
  closeSession,
  contracts,
  createAppKey,
  createMember,
  createSocket,
  enrolAuthenticator,
  handshakeOpen,
  handshakeRecord,
  identityOpen,
  identityStep,
  listAppKeys,
  listLiveSessions,
  listMembers,
  mintAppKey,
  removeAuthenticator,
  type ServiceName,
  sealFarewells,
  serverBundle,
  services,
  socketMessage,
  subjectOf,
  verifyFactors,
} from "@portcullis/contracts";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Authenticator, scan } from "../../deploy/demo/authenticator.ts";
import { type BusWorld, startBusWorld } from "./support/bus-world.ts";
import { closeOf } from "./support/closes.ts";
import { type Knock, knock, message } from "./support/knock.ts";

vi.setConfig({ testTimeout: 10_000 });

const ownerId = "an-owner";

let world: BusWorld;
let plug: Bus;
let socketId: string;
let url: string;
let appKey: string;
let phone: Authenticator;
let victim: Knock;
let said = 0;

beforeAll(async () => {
  world = await startBusWorld();
  plug = world.plug;
  const policy = {
    resume: "off",
    gates: [{ gate: "key" }, { gate: "otp" }],
    onFailure: { attempts: 10 },
    deadlines: { answer: "10m", handshake: "60m" },
  };
  const socket = await world.api.call(createSocket, {
    ownerId,
    label: "target",
    path: null,
    idParameter: null,
    policy,
  });
  socketId = socket.id;
  url = `${world.edge}/target/${socket.path}`;
  ({ key: appKey } = await world.api.call(createAppKey, { ownerId, socketId, label: "k", role: "member" }));
  const none = { email: null, phone: null };
  for (const name of ["victim", "bob", "eve"]) {
    await world.api.call(createMember, { ownerId, socketId, name, contacts: none, passphrase: null });
  }
  const enrolled = async (memberName: string) =>
    scan((await world.api.call(enrolAuthenticator, { ownerId, socketId, memberName })).uri);
  phone = await enrolled("bob");
  const theirs = await enrolled("victim");
  const value = theirs.code(Date.now());
  victim = await knock(`${url}?id=victim`, { appKey, answers: [{ gate: "otp", value }] });
  expect((await victim.hear())?.t).toBe("accepted");
});
/** The victim is still in, speaks, and hears nothing but itself. */
afterEach(async () => {
  const text = `undisturbed ${said}`;
  victim.send(message(said, text));
  said += 1;
  expect(String(await victim.next())).toContain(text);
});
afterAll(async () => {
  victim.leave();
  await world.close();
});

const headersOf = (from: ServiceName, id = "AAAAAAAAAAAAAAAAAAAAAA") => ({
  "portcullis-from": from,
  "portcullis-id": id,
});
const live = async (): Promise<(string | null)[]> => {
  const { sessions } = await world.api.call(listLiveSessions, { ownerId, socketId, after: null, limit: 200 });
  return sessions.map(({ member }) => member).sort();
};
const refusals = () => world.logs.filter((line) => line.includes("its seal does not open")).length;

/** Bodies that somebody without keys can come up with. */
function forgeries(from: ServiceName, receiver: ServiceName, subject: string): Uint8Array[] {
  const own = Object.fromEntries(services.map((name) => [name, generateServiceKeyPair()]));
  const directory = Object.fromEntries(services.map((name) => [name, own[name]?.publicKey ?? ""]));
  const seal = createServiceSeal({
    self: from,
    privateKey: own[from]?.privateKey ?? "",
    // Where an edge speaks to edges, its own key is part of it.
    directory: { ...world.directory, [from]: directory[from] ?? "" },
  });
  const id = headersOf(from)["portcullis-id"];
  const sealed = seal.seal(receiver, { subject, direction: "req", id }, Uint8Array.of(0x80));
  const altered = Uint8Array.from(sealed);
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
  return [new Uint8Array(), Uint8Array.of(0x80), new Uint8Array(200), new Uint8Array(100_000).fill(1), sealed, altered];
}

/** Sends a message that went over the bus again, as it was, to where it went or elsewhere. */
const again = (observed: Observed, subject = observed.subject) =>
  plug.request(subject, observed.message, { timeoutMs: 1_000 });
const recorded = (subject: string): Observed[] =>
  world.traffic.filter((each) => each.kind !== "reply" && each.from !== "attacker" && each.subject === subject);
const last = (subject: string): Observed => {
  const found = recorded(subject).at(-1);
  if (found === undefined) throw new Error(`nothing went to ${subject}`);
  return found;
};

describe("whoever can write to the bus but has no key of a service", () => {
  test.each<[string, ServiceName, ServiceName, () => string]>([
    ["open a handshake", "identity", "keys", () => subjectOf(identityOpen)],
    ["take a step", "identity", "keys", () => subjectOf(identityStep)],
    ["have a code verified", "factors", "identity", () => subjectOf(verifyFactors)],
    ["have a record opened", "keys", "edge", () => subjectOf(handshakeRecord)],
    ["have a farewell sealed", "keys", "identity", () => subjectOf(sealFarewells)],
    ["get a bundle", "keys", "edge", () => subjectOf(serverBundle)],
    ["make an app key", "identity", "api", () => subjectOf(createAppKey)],
    ["list members", "identity", "api", () => subjectOf(listMembers)],
  ])("cannot %s", async (_what, receiver, from, subjectNow) => {
    const subject = subjectNow();
    const before = refusals();
    const bodies = forgeries(from, receiver, subject);
    for (const data of bodies) {
      const asked = plug.request(subject, { data, headers: headersOf(from) }, { timeoutMs: 1_000 });
      await expect(asked).rejects.toBeInstanceOf(BusUnavailableError);
    }
    expect(refusals() - before).toBe(bodies.length);
  });

  test("cannot ask without saying who it is, nor under a name that no service has", async () => {
    const subject = subjectOf(identityOpen);
    for (const headers of [{}, { "portcullis-from": "root", "portcullis-id": "x" }, { "portcullis-from": "keys" }]) {
      const asked = plug.request(subject, { data: new Uint8Array(100), headers }, { timeoutMs: 1_000 });
      await expect(asked).rejects.toBeInstanceOf(BusUnavailableError);
    }
  });

  test("cannot end a session, or put words into anybody's mouth", async () => {
    const before = refusals();
    const events: readonly (readonly [ServiceName, ServiceName, string])[] = [
      ["edge", "identity", subjectOf(closeSession)],
      ["edge", "edge", subjectOf(socketMessage, socketId)],
    ];
    for (const [receiver, from, subject] of events) {
      for (const data of forgeries(from, receiver, subject)) plug.publish(subject, { data, headers: headersOf(from) });
    }
    await expect.poll(refusals).toBe(before + 12);
    expect(await live()).toEqual(["victim"]);
  });

  test("cannot let anybody in by answering in a service's place", async () => {
    const service = await plug.register({ name: "portcullis-identity", version: "1.0.0", description: "not identity" });
    const subject = subjectOf(identityOpen);
    let asked = 0;
    const earlier = world.traffic.filter(({ kind, subject: of }) => kind === "reply" && of === subject).at(-1);
    const answering = await service.add({
      name: "open",
      subject,
      queue: "portcullis-identity",
      handler: async () => {
        asked += 1;
        // The verdict that let the victim in, as it was sealed, or nothing at all.
        return asked % 2 === 1 && earlier !== undefined
          ? earlier.message
          : { data: new Uint8Array(64), headers: { "portcullis-from": "identity" } };
      },
    });
    for (let n = 0; n < 8; n += 1) {
      const attacker = await knock(`${url}?id=eve`, { appKey });
      const frame = await attacker.next();
      // Asked in turn with the real one, who denies: eve has no authenticator.
      if (frame !== null) expect(await attacker.closed).toEqual(closeOf("denied"));
      else expect(await attacker.closed).toEqual(closeOf("unavailable"));
    }
    expect(asked).toBeGreaterThan(0);
    expect(await live()).toEqual(["victim"]);
    await answering.close();
    await service.close();
  });
});

describe("what was recorded on the bus and is sent again", () => {
  /** One whole prompted handshake of bob's. */
  async function bobIn(): Promise<Knock> {
    const bob = await knock(`${url}?id=bob`, { appKey });
    const { cid } = await bob.challenge();
    await bob.say({ n: 1, t: "answer", cid, gate: "otp", value: phone.code(Date.now()) });
    expect((await bob.hear())?.t).toBe("accepted");
    return bob;
  }

  test("opens nothing, counts nothing and tells nothing: every question of a handshake", async () => {
    const bob = await bobIn();
    const opens = world.traffic.filter(
      ({ kind, subject }) => kind === "request" && subject.includes(handshakeOpen.name),
    );
    const open = opens.at(-1);
    if (open === undefined) throw new Error("nothing was opened");
    const questions = [
      open,
      ...[identityOpen, handshakeRecord, identityStep, verifyFactors].map((each) => last(subjectOf(each))),
    ];
    for (const question of questions) {
      for (let n = 0; n < 3; n += 1) {
        const reply = await again(question).catch(() => null);
        // Sealed for whoever asked first; the attacker has no key of theirs.
        if (reply !== null) expect(Buffer.from(reply.data).includes("accepted")).toBe(false);
      }
    }
    expect(await live()).toEqual(["bob", "victim"]);
    bob.leave();
    await expect.poll(live).toEqual(["victim"]);
    // Even when the connection is gone: it is the same handshake, and that one is over.
    for (const question of questions) await again(question).catch(() => null);
    expect(await live()).toEqual(["victim"]);
    const thief = await knock(`${url}?id=bob`, { appKey, answers: [{ gate: "otp", value: phone.code(Date.now()) }] });
    expect(await thief.hear()).toMatchObject({ t: "challenge", retry: true });
    thief.leave();
  });

  test("does not open elsewhere: a question is bound to its subject, an answer to its question", async () => {
    const code = last(subjectOf(verifyFactors));
    await expect(again(code, subjectOf(identityOpen))).rejects.toBeInstanceOf(BusUnavailableError);
    const step = last(subjectOf(identityStep));
    await expect(again(step, subjectOf(identityOpen))).rejects.toBeInstanceOf(BusUnavailableError);
    const renamed = { ...code, message: { ...code.message, headers: headersOf("identity", "another-id") } };
    await expect(again(renamed)).rejects.toBeInstanceOf(BusUnavailableError);
    const otherSender = {
      ...code,
      message: { ...code.message, headers: { ...code.message.headers, "portcullis-from": "edge" } },
    };
    await expect(again(otherSender)).rejects.toBeInstanceOf(BusUnavailableError);
  });

  test("is heard by nobody twice: a message", async () => {
    const subject = subjectOf(socketMessage, socketId);
    expect(recorded(subject).length).toBeGreaterThan(0);
    for (const event of recorded(subject)) plug.publish(event.subject, event.message);
    // On another socket's subject it does not even open. What the victim hears next is its own (afterEach).
    for (const event of recorded(subject)) plug.publish(subjectOf(socketMessage, "another"), event.message);
  });

  test("is carried out by nobody twice: whatever an owner did", async () => {
    const who = { ownerId, socketId, memberName: "eve" };
    await world.api.call(createAppKey, { ownerId, socketId, label: "once", role: "member" });
    await world.api.call(enrolAuthenticator, who);
    await world.api.call(removeAuthenticator, who);
    // Anew, so that a removal sent again would have something to remove.
    await world.api.call(enrolAuthenticator, who);
    const look = async () => ({
      ...(await world.api.call(listMembers, { ownerId, socketId, after: null, limit: 200 })),
      ...(await world.api.call(listAppKeys, { ownerId, socketId })),
    });
    const before = await look();
    expect(before.members.find(({ name }) => name === "eve")?.authenticator).toBe(true);
    const changes = contracts.flatMap((contract) =>
      contract.kind === "request" && contract.replay === "refused" && !contract.routed
        ? recorded(subjectOf(contract))
        : [],
    );
    const changed = new Set(changes.map(({ subject }) => subject));
    for (const contract of [createMember, createAppKey, mintAppKey, enrolAuthenticator, removeAuthenticator]) {
      expect(changed).toContain(subjectOf(contract));
    }
    for (const change of changes) await expect(again(change)).rejects.toBeInstanceOf(BusUnavailableError);
    expect(await look()).toEqual(before);
  });

  test("does not open later on: half a minute, and the memory of it lasts longer", async () => {
    const change = last(subjectOf(createAppKey));
    await world.later(31_000, () => expect(again(change)).rejects.toBeInstanceOf(BusUnavailableError));
    expect(world.logs.at(-1)).toContain("ms ago by this machine's clock");
  });
});

describe("a service that was taken over", () => {
  const sealOf = (self: ServiceName) =>
    createServiceSeal({ self, privateKey: world.privateKeyOf(self), directory: world.directory });

  /** A question asked with the real keys of one service, under its own name. */
  const askAs = (self: ServiceName, receiver: ServiceName, subject: string) => {
    const headers = headersOf(self);
    // An empty object, in MessagePack: permission is looked at before what was asked.
    const data = sealOf(self).seal(
      receiver,
      { subject, direction: "req", id: headers["portcullis-id"] },
      Uint8Array.of(0x80),
    );
    return plug.request(subject, { data, headers }, { timeoutMs: 1_000 });
  };

  test.each<[ServiceName, ServiceName, () => string]>([
    ["edge", "identity", () => subjectOf(identityOpen)],
    ["edge", "identity", () => subjectOf(identityStep)],
    ["edge", "factors", () => subjectOf(verifyFactors)],
    ["edge", "identity", () => subjectOf(createAppKey)],
    ["edge", "keys", () => subjectOf(sealFarewells)],
    ["api", "factors", () => subjectOf(verifyFactors)],
    ["api", "identity", () => subjectOf(identityOpen)],
    ["api", "keys", () => subjectOf(handshakeRecord)],
    ["notify", "identity", () => subjectOf(identityOpen)],
    ["notify", "factors", () => subjectOf(verifyFactors)],
    ["factors", "identity", () => subjectOf(identityOpen)],
  ])("%s may not ask %s for what is not its own business", async (self, receiver, subject) => {
    const reply = await askAs(self, receiver, subject());
    expect(reply.headers["portcullis-error"]).toBe("forbidden");
  });

  test("cannot speak in another one's name", async () => {
    const subject = subjectOf(identityOpen);
    const headers = headersOf("keys");
    const data = sealOf("edge").seal(
      "identity",
      { subject, direction: "req", id: headers["portcullis-id"] },
      Uint8Array.of(0x80),
    );
    await expect(plug.request(subject, { data, headers }, { timeoutMs: 1_000 })).rejects.toBeInstanceOf(
      BusUnavailableError,
    );
  });

  test("an edge cannot end sessions in the name of identity", async () => {
    const subject = subjectOf(closeSession);
    const headers = headersOf("edge");
    const data = sealOf("edge").seal(
      "edge",
      { subject, direction: "evt", id: headers["portcullis-id"] },
      Uint8Array.of(0x80),
    );
    plug.publish(subject, { data, headers });
  });
});

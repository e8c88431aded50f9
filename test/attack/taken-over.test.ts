import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  createAnswerSecret,
  createAppKey,
  createMember,
  createSocket,
  enrolAuthenticator,
  exchangePassphrase,
  kickSession,
  type ServiceName,
  services,
  signIn,
} from "@portcullis/contracts";
import { appKeyPsk, parseAppKey } from "@portcullis/crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { scan } from "../../deploy/demo/authenticator.ts";
import { createCanaries } from "../e2e/support/canaries.ts";
import { sessionKeeper } from "../e2e/support/sessions.ts";
import { type BusWorld, startBusWorld } from "./support/bus-world.ts";
import { insider } from "./support/insider.ts";
import { message } from "./support/knock.ts";
import { overhear } from "./support/overhear.ts";

const ownerId = "an-owner";
const address = "203.0.113.1";
const canaries = createCanaries();
const keeper = sessionKeeper();
let world: BusWorld;
let heardBy: (service: ServiceName) => Uint8Array;

beforeAll(async () => {
  world = await startBusWorld();
  heardBy = overhear(world);
  await signInInVain();
  await comeByEverything();
  await talk("sealed body", "required");
  await talk("unsealed body", "none");
}, 60_000);
afterAll(async () => {
  await keeper.closeAll();
  await world.close();
});

/**
 * What crosses the bus to or from each of them. Keys of handshakes, sessions and groups are planted too, and cross it nowhere; what is said on a sealed
 * socket does as records, which `keys` opens in its memory.
 *
 * Secrets of members are made by `factors` and `keys` and shown to their owner once: `identity` and `api` pass them on in that moment.
 */
const shownOnce = ["answer secret", "app key", "authenticator"];
const learned: Readonly<Record<ServiceName, readonly string[]>> = {
  edge: ["path", "unsealed body"],
  keys: ["app key", "code", "mailed code", "path", "ticket", "wrong code"],
  identity: [...shownOnce, "code", "contact", "mailed code", "password", "passphrase", "path", "ticket", "wrong code"],
  factors: ["answer secret", "authenticator", "code", "contact", "mailed code", "wrong code"],
  notify: ["contact", "mailed code"],
  api: [...shownOnce, "contact", "passphrase", "password", "path", "ticket"],
};

describe("with its seal key and a recording of the bus", () => {
  test.for(services)("%s learns what it has to, and nothing else", (service) => {
    const names = new Set(canaries.in(heardBy(service)).map((told) => told.slice(0, told.lastIndexOf(" ("))));
    expect([...names].toSorted()).toEqual(learned[service].toSorted());
  });
});

async function signInInVain(): Promise<void> {
  const password = canaries.make("password");
  const who = { email: "nobody@example.com", password, secondFactor: null, address, userAgent: "test" };
  await expect(world.api.call(signIn, who)).rejects.toMatchObject({ code: "unauthenticated" });
}

async function makeSocket(label: string, policy: Record<string, unknown>) {
  const path = canaries.make("path");
  const { id } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
  const { key } = await world.api.call(createAppKey, { ownerId, socketId: id, label: "k", role: "member" });
  const { secret } = parseAppKey(key);
  canaries.plant("app key", secret.slice());
  canaries.plant("pre-shared key", await appKeyPsk(secret));
  return { id, path, appKey: key, url: `${world.edge}/${label}/${path}` };
}

/** By ticket, code, proof and mail, each with a secret of its own. */
async function comeByEverything(): Promise<void> {
  const gates = ["key", "ticket", "otp", "question", "email"].map((gate) => ({ gate }));
  const label = "everything";
  const socket = await makeSocket(label, { gates });
  const who = { ownerId, socketId: socket.id, memberName: "bob" };
  const passphrase = canaries.make("passphrase");
  const contacts = { email: `${canaries.make("contact")}@example.com`, phone: null };
  await world.api.call(createMember, { ownerId, socketId: socket.id, name: "bob", contacts, passphrase });
  const app = scan((await world.api.call(enrolAuthenticator, who)).uri);
  canaries.plant("authenticator", app.secret.text);
  const { secret } = await world.api.call(createAnswerSecret, { ownerId, socketId: socket.id, name: "bob" });
  canaries.plant("answer secret", secret);
  const shown = { label, path: socket.path, name: "bob", address, passphrase, returnOrigin: null };
  const { ticket } = await world.api.call(exchangePassphrase, shown);
  canaries.plant("ticket", ticket);
  const codes = [canaries.plant("wrong code", "314159"), canaries.plant("code", app.code(Date.now()))];
  await keeper.connect(`${socket.url}?id=bob`, {
    appKey: socket.appKey,
    ticket,
    answerSecret: secret,
    answers: { otp: () => codes.shift() ?? null, email: mailedCode },
  });
}

async function mailedCode(): Promise<string> {
  const mails = () => readdirSync(world.outboxDir).map((name) => readFileSync(join(world.outboxDir, name), "utf8"));
  const code = () => /^ {2}(\d{6})\s*$/m.exec(mails().join("\n"))?.[1];
  return canaries.plant("mailed code", (await vi.waitUntil(code, { timeout: 10_000 })) ?? "");
}

/** Two of them; who is put out has the others change their keys. */
async function talk(name: string, session: "none" | "required"): Promise<void> {
  const socket = await makeSocket(`talk-${session}`, {
    gates: [{ gate: "key" }],
    anonymous: true,
    encryption: { session },
  });
  const [one, other] = [await insider(socket.url, socket), await insider(socket.url, socket)];
  for (const { prk, resume, accepted } of [one, other]) {
    canaries.plant("key of a handshake", prk);
    canaries.plant("key of a session", resume);
    if (accepted.group !== undefined) canaries.plant("key of a group", Buffer.from(accepted.group.key, "base64url"));
  }
  const frames = other.heard.length;
  const body = message(0, canaries.make(name));
  one.send(session === "none" ? body : await one.up(body));
  await vi.waitFor(() => expect(other.heard.length).toBeGreaterThan(frames));
  await world.api.call(kickSession, { ownerId, socketId: socket.id, sid: one.accepted.sid });
  await one.closed;
  other.leave();
}

import { randomBytes, randomInt } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, type Session } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { type Delivery, isBy, type Receiver, startReceiver } from "../../libs/runtime/test/support/webhook-receiver.ts";
import { createIntruder } from "../attack/support/intruder.ts";
import { person } from "./support/account.ts";
import { type Canaries, createCanaries } from "./support/canaries.ts";
import { denial } from "./support/sessions.ts";
import { makeSocket, plantKey } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

/*
 * Whoever reads an owner's mailbox, or stands at their program's door, is not to learn more by an alert than that there is one: an alarm that carries what it is
 * about would hand on what was stolen.
 */

vi.setConfig({ testTimeout: 30_000 });

const gates = [{ gate: "key" }, { gate: "otp" }];
const decoyed = { gates, onFailure: { then: "decoy", attempts: 3, free: 2, work: 0 } };
const intruders = "203.0.113.77";
class FromAfar extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { headers: { "x-forwarded-for": intruders } });
  }
}

let world: World;
let receiver: Receiver;
const open: Session[] = [];
beforeAll(async () => {
  world = await startWorld({ env: { OUTBOUND_ALLOW: "http://127.0.0.1", TRUSTED_PROXIES: "127.0.0.1,::1" } });
  const owner = person(world, world.credentials);
  await world.owner.post("/v1/account/email/verify", { token: await owner.mailed(/Confirm/) });
});
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
  await receiver.close();
});
afterAll(() => world.close());

/** A socket whose alerts go to mail and program; with a member, and everything of it that is no alert's to tell. */
async function watched(policy: object) {
  const canaries = createCanaries();
  const socket = await makeSocket(world.owner, policy);
  const planted = await plantKey(world.owner, socket.id);
  const { webhook, secret } = await world.owner.post<{ webhook: { id: string }; secret: string }>(
    `/v1/sockets/${socket.id}/webhooks`,
    { url: receiver.url, purpose: "alerts" },
  );
  await world.owner.put(`/v1/sockets/${socket.id}/alerts/settings`, { mail: true, webhook: webhook.id, kinds: null });
  const name = canaries.plant("member's name", `member${randomBytes(8).toString("hex")}`);
  const email = `${canaries.make("member's e-mail")}@example.com`;
  const phone = canaries.plant("member's phone", `49${randomInt(1e9, 9e9)}${randomInt(10, 99)}`);
  const members = `/v1/sockets/${socket.id}/members`;
  await world.owner.post(members, { name, contacts: { email, phone: `+${phone}` } });
  await world.owner.post(`${members}/${name}/authenticator`);
  const [, , label = "", path = ""] = new URL(socket.url).pathname.match(/^(\/)([^/]+)\/(.+)$/) ?? [];
  canaries.plant("path", path);
  for (const [what, key] of Object.entries({ real: socket.appKey, planted: planted.appKey }))
    canaries.plant(`${what} key`, key.split(".")[2] ?? "");
  canaries.plant("address", intruders);
  canaries.plant("webhook's secret", secret.replace("whsec_", ""));
  const url = `${socket.url}?id=${name}`;
  const otp = () => canaries.plant(`code ${canaries.names.length}`, String(randomInt(1e6)).padStart(6, "0"));
  return { socket, planted, secret, label, url, otp, canaries };
}
type Watched = Awaited<ReturnType<typeof watched>>;

async function land({ url, otp }: Watched, appKey: string): Promise<void> {
  open.push(await createIntruder(url, appKey).land({ webSocket: FromAfar, answers: { otp } }));
}
interface Listed {
  readonly id: string;
  readonly kind: string;
  readonly about: Readonly<Record<string, unknown>>;
}
const alertsOf = async ({ socket }: Watched) =>
  (await world.owner.get<{ alerts: Listed[] }>(`/v1/sockets/${socket.id}/alerts`)).alerts;

/** Of that socket, by the subject. */
async function mailsOf({ label }: Watched, subject: RegExp): Promise<string[]> {
  const names = (await readdir(world.outboxDir)).filter((name) => name.endsWith(".eml"));
  const mails = await Promise.all(names.map((name) => readFile(join(world.outboxDir, name), "utf8")));
  return mails.filter((mail) => mail.includes(`  ${label}`) && subject.test(/^Subject: (.*)$/m.exec(mail)?.[1] ?? ""));
}
async function mailOf(of: Watched, subject: RegExp): Promise<string> {
  await expect.poll(async () => (await mailsOf(of, subject)).length, { timeout: 10_000 }).toBe(1);
  const [mail = ""] = await mailsOf(of, subject);
  return mail;
}
async function deliveryOf(kind: string): Promise<Delivery> {
  const found = () => receiver.deliveries.filter(({ data }) => data.kind === kind);
  await expect.poll(() => found().length, { timeout: 10_000 }).toBe(1);
  const [delivery] = found();
  if (delivery === undefined) throw new Error("none came");
  return delivery;
}

/** One alert of that kind, on the list, by mail and by webhook: the same, and nothing of anybody's in it. */
async function told(of: Watched, kind: string, subject: RegExp, words: RegExp) {
  const [delivery, mail] = [await deliveryOf(kind), await mailOf(of, subject)];
  const [alert] = (await alertsOf(of)).filter((each) => each.kind === kind);
  expect(isBy(of.secret, delivery)).toBe(true);
  expect([delivery.type, delivery.id]).toEqual(["portcullis.alert", `alert_${alert?.id}`]);
  const { about, at, ...rest } = delivery.data;
  expect(rest).toEqual({ alertId: alert?.id, kind, socket: of.socket.id, label: of.label });
  expect(about).toEqual(alert?.about);
  expect(Date.parse(String(at))).not.toBeNaN();
  expect(mail.replaceAll(/\s+/g, " ")).toMatch(words);
  // No id in it either: what is known is to be asked for by whoever has the account.
  for (const id of [of.socket.id, of.socket.keyId, of.planted.keyId, ...Object.values(about as object)])
    expect(mail).not.toContain(String(id));
  unsaid(of.canaries, mail, delivery);
  return about as Readonly<Record<string, string>>;
}
function unsaid(canaries: Canaries, mail: string, { raw }: Delivery): void {
  expect(canaries.in(Buffer.from(mail))).toEqual([]);
  expect(canaries.in(Buffer.from(raw))).toEqual([]);
  expect(canaries.names.filter((name) => name.startsWith("code")).length).toBeGreaterThan(0);
}

const planted = [/^Somebody used a key that you planted$/, /a canary, an app key that you planted/] as const;
const decoy = [/^Somebody is in the decoy of your Portcullis socket$/, /let into the decoy of your socket/] as const;

describe("an owner is told by mail and by webhook what happened, and by ids at most of whom and where", () => {
  test("where a planted key is used and turned away", async () => {
    const of = await watched({ gates });
    // Whoever tries it offers a code along with it.
    const offer = [{ gate: "otp", value: of.otp() }];
    const tried = connect(of.url, { appKey: of.planted.appKey, webSocket: FromAfar, offer });
    await expect(tried).rejects.toMatchObject(denial);
    const about = await told(of, "canary-key", ...planted);
    expect(Object.keys(about).toSorted()).toEqual(["key", "member", "network"]);
    expect(about.key).toBe(of.planted.keyId);
    expect(receiver.deliveries).toHaveLength(1);
  });

  test("where it leads into the decoy", async () => {
    const of = await watched(decoyed);
    await land(of, of.planted.appKey);
    const found = await told(of, "canary-key", ...planted);
    expect(found).toMatchObject({ key: of.planted.keyId });
    const about = await told(of, "decoy", ...decoy);
    expect(about).toMatchObject({ cause: "canary", key: of.planted.keyId });
    expect(about.room).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });

  test("where a stolen key leads there, once its free tries are spent", async () => {
    const of = await watched(decoyed);
    await land(of, of.socket.appKey);
    const about = await told(of, "decoy", ...decoy);
    expect(Object.keys(about).toSorted()).toEqual(["cause", "key", "member", "network", "room"]);
    expect(about).toMatchObject({ cause: "spent", key: of.socket.keyId });
    expect(receiver.deliveries.filter(({ data }) => data.kind === "canary-key")).toEqual([]);
    // They come again, and again: it is one alert.
    await land(of, of.socket.appKey);
    expect(await mailsOf(of, decoy[0])).toHaveLength(1);
    expect(receiver.deliveries.filter(({ data }) => data.kind === "decoy")).toHaveLength(1);
  });
});

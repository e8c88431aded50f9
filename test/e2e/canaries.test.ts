import { connect } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isBy, type Receiver, startReceiver } from "../../libs/runtime/test/support/webhook-receiver.ts";
import { person } from "./support/account.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeSocket, type OwnedSocket, plantKey } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

const keeper = sessionKeeper();
let world: World;
let receiver: Receiver;
let owner: ReturnType<typeof person>;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { OUTBOUND_ALLOW: "http://127.0.0.1", LOG_LEVEL: "debug" } });
  owner = person(world, world.credentials);
  await world.owner.post("/v1/account/email/verify", { token: await owner.mailed(/Confirm/) });
});
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await keeper.closeAll();
  await receiver.close();
});
afterAll(() => world.close());

interface Listed {
  readonly id: string;
  readonly kind: string;
  readonly count: number;
  readonly keyLabel: string | null;
  readonly about: Readonly<Record<string, unknown>>;
}
const alertsOf = async ({ id }: OwnedSocket) =>
  (await world.owner.get<{ alerts: Listed[] }>(`/v1/sockets/${id}/alerts`)).alerts;
const keyAlerts = async (socket: OwnedSocket) => (await alertsOf(socket)).filter(({ kind }) => kind === "canary-key");

/** A socket behind a key alone, whose alerts go to that receiver; with a key that is planted. */
async function guarded(to = receiver) {
  const socket = await makeSocket(world.owner, keyOnly);
  const { webhook, secret } = await world.owner.post<{ webhook: { id: string }; secret: string }>(
    `/v1/sockets/${socket.id}/webhooks`,
    { url: to.url, purpose: "alerts" },
  );
  await world.owner.put(`/v1/sockets/${socket.id}/alerts/settings`, { mail: true, webhook: webhook.id, kinds: null });
  return { socket, planted: await plantKey(world.owner, socket.id), hook: webhook.id, secret };
}
const use = ({ url }: OwnedSocket, appKey: string) =>
  connect(url, { appKey }).then(
    () => null,
    (error: { readonly code?: string; readonly closeCode?: number }) => error,
  );

describe("a key that its owner planted", () => {
  test("keeps whoever finds it out, and tells the owner by mail and by a message that is signed", async () => {
    const { socket, planted, secret } = await guarded();
    const before = await owner.mails(/key that you planted/);
    // The real one lets in, at the same address.
    await keeper.connect(socket.url, { appKey: socket.appKey });
    expect(await use(socket, planted.appKey)).toMatchObject(denial);
    await expect.poll(() => receiver.deliveries.length, { timeout: 10_000 }).toBe(1);
    const [delivery] = receiver.deliveries;
    if (delivery === undefined) throw new Error("no delivery");
    const [alert] = await keyAlerts(socket);
    expect(isBy(secret, delivery)).toBe(true);
    expect([delivery.type, delivery.id]).toEqual(["portcullis.alert", `alert_${alert?.id}`]);
    expect(delivery.data).toMatchObject({
      alertId: alert?.id,
      kind: "canary-key",
      socket: socket.id,
      about: { key: planted.keyId },
    });
    expect(alert).toMatchObject({ count: 1, keyLabel: "planted" });
    await expect.poll(() => owner.mails(/key that you planted/)).toBe(before + 1);
    expect(world.logs.filter((line) => line.includes('"msg":"alert"') && line.includes(planted.keyId))).toHaveLength(1);
    // What was used is in no log.
    expect(world.logs.join("")).not.toContain(planted.appKey.split(".")[2] ?? "?");
    const { sessions } = await world.owner.get<{ sessions: unknown[] }>(`/v1/sockets/${socket.id}/sessions`);
    expect(sessions).toHaveLength(1);
  });

  test("that is used again and again is one alert that counts, one mail and one message", async () => {
    const { socket, planted } = await guarded();
    const before = await owner.mails(/key that you planted/);
    for (let round = 0; round < 4; round += 1)
      await Promise.all(Array.from({ length: 10 }, () => use(socket, planted.appKey)));
    await expect.poll(async () => (await keyAlerts(socket))[0]?.count, { timeout: 10_000 }).toBe(40);
    expect(await keyAlerts(socket)).toHaveLength(1);
    await expect.poll(() => owner.mails(/key that you planted/)).toBe(before + 1);
    expect(receiver.deliveries.filter(({ data }) => data.kind === "canary-key")).toHaveLength(1);
  });

  test("that was revoked is like any that never was, and no alert", async () => {
    const { socket, planted } = await guarded();
    await world.owner.delete(`/v1/sockets/${socket.id}/keys/${planted.keyId}`);
    expect(await use(socket, planted.appKey)).toMatchObject(denial);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await alertsOf(socket)).toEqual([]);
  });
});

describe("a receiver that does not answer", () => {
  test("holds up nobody else's alerts", async () => {
    const other = await startReceiver();
    let tries = 0;
    receiver.handle = (_delivery, response) => {
      tries += 1;
      // The first is never answered, as of a program that hangs.
      if (tries > 1) response.writeHead(200).end();
    };
    const stuck = await guarded();
    const well = await guarded(other);
    await use(stuck.socket, stuck.planted.appKey);
    await expect.poll(() => tries, { timeout: 10_000 }).toBe(1);
    await use(well.socket, well.planted.appKey);
    await expect.poll(() => other.deliveries.length, { timeout: 4_000 }).toBe(1);
    expect(tries).toBe(1);
    await other.close();
  });
});

describe("the webhook to which alerts go", () => {
  test("stays for as long as they do", async () => {
    const { socket, hook } = await guarded();
    const remove = () => world.owner.delete(`/v1/sockets/${socket.id}/webhooks/${hook}`);
    await expect(remove()).rejects.toMatchObject({ status: 409 });
    await world.owner.put(`/v1/sockets/${socket.id}/alerts/settings`, { mail: true, webhook: null, kinds: null });
    await remove();
  });
});

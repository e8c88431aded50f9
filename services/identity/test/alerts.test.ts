import {
  type AlertKind,
  type AlertSettings,
  alertKinds,
  alertQueue,
  composeAlert,
  createMember,
  createSocket,
  deleteSocket,
  identityOpen,
  listAlerts,
  readAlertSettings,
  readWebhooks,
  removeMember,
  removeWebhook,
  setAlertSettings,
  signAlert,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openAccountStore } from "../src/accounts/store.ts";
import { createAlerts } from "../src/alerts/alerts.ts";
import { summed } from "../src/alerts/summed.ts";
import { alertMail } from "../src/alerts/words.ts";
import { openSocketStore } from "../src/sockets/store.ts";
import { bookOf } from "./support/book.ts";
import { opening } from "./support/handshake.ts";
import { codeOf, firstPage, refusal, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
/** Of alerts that were left for `notify`. */
let queued: string[];
const path = "a-path-of-its-own";
const label = "one";
const hook = "hook_1";

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  queued = [];
  await world.embedded.platformFor("notify").jobs.work(alertQueue.name, async ({ data }) => {
    queued.push(String(data.alertId));
  });
  await world.factorsServer.serve(readWebhooks, () => ({
    webhooks: [{ id: hook, url: "https://hooks.example.com/", purpose: null, createdAtMs: 1, previousUntilMs: null }],
  }));
  mine = await socket((await world.verifiedOwner()).ownerId);
});
afterEach(() => world.close());

async function socket(ownerId: string, named = label) {
  const policy = { gates: [{ gate: "key" }, { gate: "otp", of: "socket" }], anonymous: true };
  const { id } = await world.api.call(createSocket, { ownerId, label: named, path, idParameter: null, policy });
  return { ownerId, socketId: id };
}
const set = (settings: Partial<AlertSettings>) =>
  world.api.call(setAlertSettings, { ...mine, settings: { mail: true, webhook: null, kinds: null, ...settings } });
const listed = async (page: object = firstPage) =>
  (await world.api.call(listAlerts, { ...mine, ...firstPage, ...page })).alerts;
const mails = () => world.mails.filter(({ subject }) => subject.includes("key that you planted"));
/** Somebody uses a canary: what raises an alert, whoever is there. */
const use = (keyId = "k1") =>
  world.keysCaller.call(
    identityOpen,
    opening({ label, path, key: { keyId, socketId: mine.socketId, role: "member", canary: true } }),
  );
const ofCanaries = async () => (await listed()).filter(({ kind }) => kind === "canary-key");
const count = async () => (await ofCanaries())[0]?.count ?? 0;

describe("how an owner is told of alerts", () => {
  it("is theirs alone to see and to set, and by mail unless they say otherwise", async () => {
    expect(await world.api.call(readAlertSettings, mine)).toEqual({ mail: true, webhook: null, kinds: null });
    const chosen = { mail: false, webhook: hook, kinds: ["lockout", "decoy"] satisfies AlertKind[] };
    expect(await set(chosen)).toEqual(chosen);
    expect(await world.api.call(readAlertSettings, mine)).toEqual(chosen);
    const theirs = { socketId: mine.socketId, ownerId: (await world.owner()).ownerId };
    for (const call of [
      world.api.call(readAlertSettings, theirs),
      world.api.call(setAlertSettings, { ...theirs, settings: { ...chosen, webhook: null } }),
      world.api.call(listAlerts, { ...theirs, ...firstPage }),
    ])
      expect(await codeOf(call)).toBe("not_found");
  });

  it("names a webhook that is there, which then stays until it is not named any more", async () => {
    expect(await refusal(set({ webhook: "hook_2" }))).toEqual({
      code: "invalid",
      issues: [{ path: "webhook", message: "no such webhook" }],
    });
    await set({ webhook: hook });
    expect(await refusal(world.api.call(removeWebhook, { ...mine, webhookId: hook }))).toEqual({
      code: "conflict",
      issues: [{ path: "alerts.webhook", message: "alerts go to this webhook" }],
    });
  });

  it("is by mail and webhook, or by neither; what they do not want to hear of is kept all the same", async () => {
    await set({ webhook: hook });
    await use("k1");
    await expect.poll(() => [mails().length, queued.length]).toEqual([1, 1]);
    await set({ webhook: hook, mail: false });
    await use("k2");
    await expect.poll(() => queued.length).toBe(2);
    await set({ webhook: hook, kinds: ["lockout"] });
    await use("k3");
    await expect.poll(async () => (await listed()).length).toBe(3);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([mails().length, queued.length]).toEqual([1, 2]);
  });
});

describe("an alert", () => {
  it("is one for a thousand of its kind within an hour, told once, whichever replica they come to", async () => {
    await set({ webhook: hook });
    await Promise.all(Array.from({ length: 1000 }, () => use()));
    await expect.poll(count, { timeout: 10_000 }).toBe(1000);
    expect(await ofCanaries()).toHaveLength(1);
    // A thousand failures of one network are guessing as well.
    await expect.poll(() => [mails().length, queued.length]).toEqual([1, 2]);
    const noted = async () => (await bookOf(world, mine, "alerted")).filter(({ cause }) => cause === "canary-key");
    await expect.poll(noted).toHaveLength(1);
    world.advance(3_601_000);
    await use();
    await expect.poll(() => [mails().length, queued.length]).toEqual([2, 3]);
    expect((await ofCanaries()).map((each) => each.count)).toEqual([1, 1000]);
  });

  it("is told at once for each canary, and no more than twenty times an hour", async () => {
    for (let key = 0; key < 25; key += 1) await use(`k${key}`);
    await expect.poll(async () => (await listed()).length).toBe(25);
    await expect.poll(() => mails().length).toBe(20);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(mails()).toHaveLength(20);
  });

  it("is told however many of another kind somebody has brought about before", async () => {
    const { documents, state, jobs, clock, ids, log } = world.platform;
    const sent: string[] = [];
    const alerts = createAlerts({
      store: await openSocketStore(documents),
      owners: (await openAccountStore(documents)).owners,
      mails: { send: async (_owner, purpose) => void sent.push(purpose) },
      audit: { note: async () => undefined, require: async () => undefined },
      state,
      jobs,
      clock,
      ids,
      log,
    });
    for (let n = 0; n < 25; n += 1)
      await alerts.raise({ kind: "lockout", socketId: mine.socketId, about: { member: `m${n}` } });
    await alerts.raise({ kind: "canary-key", socketId: mine.socketId, about: { key: "k1" } });
    expect(sent.filter((purpose) => purpose === "lockout")).toHaveLength(20);
    expect(sent).toContain("canary-key");
  });

  it("is listed with the latest first, in pages", async () => {
    for (const key of ["k1", "k2", "k3"]) {
      await use(key);
      await expect.poll(async () => (await listed()).some(({ about }) => about.key === key)).toBe(true);
      world.advance(1_000);
    }
    const first = await world.api.call(listAlerts, { ...mine, after: null, limit: 2 });
    expect(first.alerts.map(({ about }) => about.key)).toEqual(["k3", "k2"]);
    const second = await world.api.call(listAlerts, { ...mine, after: first.next, limit: 2 });
    expect([second.alerts.map(({ about }) => about.key), second.next]).toEqual([["k1"], null]);
  });

  it("holds ids, and is shown with the member's name only for as long as there is the member", async () => {
    await world.api.call(createMember, {
      ...mine,
      name: "bob",
      contacts: { email: null, phone: null },
      passphrase: null,
    });
    await world.keysCaller.call(
      identityOpen,
      opening({
        label,
        path,
        query: "id=bob",
        key: { keyId: "k1", socketId: mine.socketId, role: "member", canary: true },
      }),
    );
    await expect.poll(async () => (await listed())[0]?.member).toBe("bob");
    const [{ about } = { about: {} }] = await listed();
    expect(JSON.stringify(about)).not.toContain("bob");
    await world.api.call(removeMember, { ...mine, name: "bob" });
    expect((await listed())[0]?.member).toBeNull();
  });

  it("is mailed to nobody whose address may be somebody else's", async () => {
    const { ownerId } = await world.owner();
    mine = await socket(ownerId, "two");
    await world.keysCaller.call(
      identityOpen,
      opening({ label: "two", path, key: { keyId: "k", socketId: mine.socketId, role: "member", canary: true } }),
    );
    await expect.poll(count).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(mails()).toEqual([]);
  });

  it("goes with its socket, and is not sent any more", async () => {
    await set({ webhook: hook });
    await use();
    await expect.poll(() => queued.length).toBe(1);
    await world.api.call(deleteSocket, mine);
    expect(await world.notify.call(composeAlert, { alertId: queued[0] ?? "" })).toEqual({ message: null });
  });

  it("is composed for the webhook that is set by then, and signed by who has the secret", async () => {
    const asked: unknown[] = [];
    const message = { socketId: mine.socketId, url: "https://hooks.example.com/", headers: {}, body: "{}" };
    await world.factorsServer.serve(signAlert, (request) => {
      asked.push(request);
      return { message };
    });
    await set({ webhook: hook });
    await use();
    await expect.poll(() => queued.length).toBe(1);
    const [alertId = ""] = queued;
    expect(await world.notify.call(composeAlert, { alertId })).toEqual({ message });
    expect(asked).toMatchObject([
      { alertId, socketId: mine.socketId, webhookId: hook, kind: "canary-key", label, about: { key: "k1" } },
    ]);
    await set({ webhook: null });
    expect(await world.notify.call(composeAlert, { alertId })).toEqual({ message: null });
  });
});

describe("what is mailed of an alert", () => {
  it.each(alertKinds)("%s: needs no encoding, names the socket, and says how to look further", (kind) => {
    const { subject, text } = alertMail(kind, label);
    expect([subject, ...text.split("\n")].every((line) => /^[ -~]{0,76}$/.test(line))).toBe(true);
    expect(text).toContain(`\n  ${label}\n`);
    expect(text).toContain(`\n  portcullis owner alerts ${label}\n`);
  });
});

describe("a network that fails again and again at one socket", () => {
  const fail = (address: string, named = label) =>
    world.keysCaller.call(identityOpen, opening({ label: named, path, opened: false, address }));
  const guessing = async () => (await listed()).filter(({ kind }) => kind === "guessing");

  it("is an alert with the fiftieth failure, and no other before the hour is over", async () => {
    for (let times = 0; times < 49; times += 1) await fail("192.0.2.7");
    for (let times = 0; times < 49; times += 1) await fail("192.0.2.8");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await guessing()).toEqual([]);
    await fail("192.0.2.7");
    await expect.poll(async () => (await guessing()).length).toBe(1);
    for (let times = 0; times < 60; times += 1) await fail("192.0.2.7");
    expect(await guessing()).toMatchObject([{ count: 1, about: { failures: 50 } }]);
  });

  it("costs as much where there is no socket", async () => {
    const calls: string[] = [];
    const stop = world.before("state.add", (_, key) => void calls.push(String(key).replace(/:[^:]+:[^:]+$/, "")));
    await fail("192.0.2.9");
    const there = calls.splice(0);
    await fail("192.0.2.9", "nobody");
    stop();
    expect(calls).toHaveLength(there.length);
  });
});

describe("what is added up", () => {
  it("is done one at a time and never forgotten, also where a turn fails", async () => {
    let under = 0;
    let most = 0;
    const counts: number[] = [];
    const add = summed<string>(
      (name) => name,
      async (_, count) => {
        under += 1;
        most = Math.max(most, under);
        await new Promise((resolve) => setTimeout(resolve, 5));
        counts.push(count);
        under -= 1;
        if (counts.length === 1) throw new Error("once");
      },
    );
    const all = await Promise.allSettled(Array.from({ length: 100 }, () => add("a")));
    expect([most, counts]).toEqual([1, [1, 99]]);
    expect(all.filter(({ status }) => status === "rejected")).toHaveLength(1);
    await add("a");
    expect(counts).toEqual([1, 99, 1]);
  });
});

import {
  composeWait,
  composeWebhook,
  decideCallback,
  forgetSocketSecrets,
  forgetWebhook,
  mintWebhook,
  readWait,
  readWebhooks,
  renewWebhook,
  reportWait,
  resendWait,
  signAlert,
  startWait,
  waitQueue,
  wakeHandshake,
} from "@portcullis/contracts";
import { afterEach, describe, expect, it } from "vitest";
import { signed } from "../../../libs/runtime/test/support/webhook-receiver.ts";
import { type Factors, type FactorsOptions, freshHid, startFactors } from "./harness.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const url = "https://hooks.example.com/s3cret-path";
let factors: Factors;
let woken: string[] = [];
afterEach(() => factors.stop());

async function started(options: FactorsOptions = {}) {
  factors = await startFactors(options);
  woken = [];
  await factors.as("identity").server.serve(wakeHandshake, ({ waitId }) => {
    woken.push(waitId);
    return {};
  });
  return { notify: factors.as("notify").caller, api: factors.as("api").caller };
}

const mint = (socketId = "s1", to = url) =>
  factors.identity.call(mintWebhook, { socketId, url: to, purpose: "checks faces" });
const list = async (socketId = "s1") => (await factors.identity.call(readWebhooks, { socketId })).webhooks;

let names = 0;
async function start(webhook: string, options: { socketId?: string; untilMs?: number } = {}) {
  names += 1;
  const waitId = `hw${names}`;
  const view = await factors.identity.call(startWait, {
    waitId,
    handshake: freshHid(),
    socketId: options.socketId ?? "s1",
    enrolmentId: null,
    gate: "external",
    config: { webhook },
    to: null,
    member: "bob",
    label: "chat",
    network: "n1",
    untilMs: options.untilMs ?? factors.now() + 10 * minuteMs,
  });
  return { waitId, view };
}

/** Takes the job of a wait from the queue. */
async function sendingOf(waitId: string): Promise<string> {
  const found: string[] = [];
  const worker = await factors.jobs.work(waitQueue.names.webhook, async ({ data }) => {
    if (data.waitId === waitId) found.push(String(data.sending));
  });
  await expect.poll(() => found.length, { interval: 5 }).toBeGreaterThan(0);
  await worker.close();
  return found[0] ?? "";
}

const compose = async (waitId: string, sending: string) =>
  (await factors.as("notify").caller.call(composeWebhook, { waitId, sending })).message;

interface Callback {
  readonly id?: string;
  readonly timestamp?: number;
  readonly address?: string;
  /** What is posted, where it is not what was signed. */
  readonly posted?: string;
}
async function decide(waitId: string, secret: string, body: string, options: Callback = {}) {
  const { id = "msg_1", timestamp = Math.floor(factors.now() / 1_000), address = "192.0.2.1" } = options;
  const headers = signed(secret, body, { id, timestamp });
  const { result } = await factors.as("api").caller.call(decideCallback, {
    waitId,
    webhookId: headers["webhook-id"],
    timestamp: headers["webhook-timestamp"],
    signature: headers["webhook-signature"],
    body: new Uint8Array(Buffer.from(options.posted ?? body)),
    address,
  });
  return result;
}
const fateOf = async (waitId: string) => (await factors.identity.call(readWait, { waitId })).fate;
const confirm = '{"decision":"confirm"}';
const refuse = '{"decision":"refuse"}';

describe("webhooks of a socket", () => {
  it("are kept sealed: neither address nor secret is in the store, on the bus, or in a log", async () => {
    await started();
    const { webhook, secret } = await mint();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(webhook).toEqual({
      id: expect.stringMatching(/^hook_/),
      url,
      purpose: "checks faces",
      createdAtMs: factors.now(),
      previousUntilMs: null,
    });
    expect(await list()).toEqual([webhook]);
    const collection = await factors.documents.collection({
      name: "factors_webhooks",
      schema: (await import("../src/webhooks/record.ts")).webhooksCollection.schema,
      indexes: [],
    });
    const stored = JSON.stringify(await collection.get("s1"));
    const said = [stored, ...factors.logged, ...factors.onBus.map((data) => Buffer.from(data).toString("latin1"))];
    for (const planted of ["s3cret-path", secret.slice(6)]) expect(said.join("\n")).not.toContain(planted);
  });

  it.each([
    "http://hooks.example.com/",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/",
    "https://[::ffff:10.0.0.1]/",
    "https://hooks.example.com:6379/",
    "https://user:password@hooks.example.com/",
    "ftp://hooks.example.com/",
    "not a url",
  ])("go nowhere that is inside, or no https: %s", async (to) => {
    await started({ config: { outboundAllow: null } });
    await expect(mint("s1", to)).rejects.toMatchObject({ code: "invalid", issues: [{ path: "url" }] });
    expect(await list()).toEqual([]);
  });

  it("are ten at most, however many make one at once", async () => {
    await started();
    const made = await Promise.allSettled(Array.from({ length: 14 }, () => mint()));
    expect(made.filter(({ status }) => status === "fulfilled").length).toBeLessThanOrEqual(10);
    while ((await list()).length < 10) await mint();
    await expect(mint()).rejects.toMatchObject({ code: "invalid" });
    expect((await mint("s2")).webhook.id).toBeTruthy();
  });

  it("are found on their own socket only, and go with it", async () => {
    await started();
    const { webhook } = await mint();
    const other = { socketId: "s2", webhookId: webhook.id };
    await expect(factors.identity.call(renewWebhook, other)).rejects.toMatchObject({ code: "not_found" });
    expect(await factors.identity.call(forgetWebhook, other)).toEqual({ existed: false });
    expect(await list()).toHaveLength(1);
    const mine = { socketId: "s1", webhookId: webhook.id };
    expect(await factors.identity.call(forgetWebhook, mine)).toEqual({ existed: true });
    expect(await factors.identity.call(forgetWebhook, mine)).toEqual({ existed: false });
    await mint();
    await factors.identity.call(forgetSocketSecrets, { socketId: "s1" });
    expect(await list()).toEqual([]);
  });
});

describe("a wait for a service", () => {
  it("leaves a job that names it; what is posted is signed when it is sent, and says no more than it has to", async () => {
    const { notify } = await started();
    const { webhook, secret } = await mint();
    const untilMs = factors.now() + 5 * minuteMs;
    const { waitId, view } = await start(webhook.id, { untilMs });
    expect(view).toMatchObject({ prompt: { by: "callback" }, status: "queued" });
    expect(JSON.stringify(view)).not.toContain(webhook.id);
    const sending = await sendingOf(waitId);
    const message = await compose(waitId, sending);
    expect(message).toMatchObject({ socketId: "s1", url });
    expect(message?.headers).toEqual(
      signed(secret, message?.body ?? "", { id: sending, timestamp: Math.floor(factors.now() / 1_000) }),
    );
    expect(JSON.parse(message?.body ?? "")).toEqual({
      type: "portcullis.wait.opened",
      timestamp: new Date(factors.now()).toISOString(),
      data: {
        waitId,
        socket: "s1",
        label: "chat",
        member: "bob",
        until: new Date(untilMs).toISOString(),
        callback: `https://p.example/v1/callbacks/${waitId}`,
      },
    });
    expect((await notify.call(composeWait, { waitId })).message).toBeNull();
    expect(await compose(waitId, "another")).toBeNull();
    await notify.call(reportWait, { waitId, sending, status: "sent" });
    expect(await compose(waitId, sending)).toBeNull();
    expect(woken).toEqual([waitId]);
  });

  it("is told again on demand, under another id", async () => {
    await started();
    const { webhook } = await mint();
    const { waitId } = await start(webhook.id);
    const first = await sendingOf(waitId);
    factors.advance(minuteMs);
    await factors.identity.call(resendWait, { waitId, ref: "again" });
    const second = await sendingOf(waitId);
    expect(second).not.toBe(first);
    expect((await compose(waitId, second))?.headers["webhook-id"]).toBe(second);
  });

  it("fails where the webhook is gone, or another socket's: nobody is asked, and nobody can confirm", async () => {
    await started();
    const { webhook, secret } = await mint("s2");
    const { waitId } = await start(webhook.id, { socketId: "s1" });
    const sending = await sendingOf(waitId);
    expect(await compose(waitId, sending)).toBeNull();
    const { wait } = await factors.identity.call(readWait, { waitId });
    expect(wait?.status).toBe("failed");
    expect(await decide(waitId, secret, confirm)).toBe("refused");
    expect(await fateOf(waitId)).toBe("open");
  });

  it("is refused where its socket has caused too many", async () => {
    await started({ config: { webhooksPerSocketMinute: 2 } });
    const { webhook } = await mint();
    expect((await start(webhook.id)).view.status).toBe("queued");
    expect((await start(webhook.id)).view.status).toBe("queued");
    expect((await start(webhook.id)).view.status).toBe("refused");
    factors.advance(minuteMs + 1);
    expect((await start(webhook.id)).view.status).toBe("queued");
  });
});

describe("an alert", () => {
  const alert = (webhookId: string, socketId = "s1") => ({
    alertId: "a1",
    socketId,
    webhookId,
    kind: "canary-key" as const,
    label: "chat",
    about: { key: "k1", network: "n1" },
    atMs: 1_795_000_000_000,
  });

  it("is signed by the socket's own webhook alone, under the alert's id, however often", async () => {
    await started();
    const { webhook, secret } = await mint();
    const sign = async (request: ReturnType<typeof alert>) => (await factors.identity.call(signAlert, request)).message;
    for (let tries = 0; tries < 2; tries += 1) {
      const message = await sign(alert(webhook.id));
      if (message === null) throw new Error("no message");
      const { "webhook-id": id = "", "webhook-timestamp": timestamp } = message.headers;
      expect([message.url, message.socketId, id]).toEqual([url, "s1", "alert_a1"]);
      expect(signed(secret, message.body, { id, timestamp: Number(timestamp) })).toEqual(message.headers);
      expect(JSON.parse(message.body)).toEqual({
        type: "portcullis.alert",
        timestamp: new Date(factors.now()).toISOString(),
        data: {
          alertId: "a1",
          kind: "canary-key",
          socket: "s1",
          label: "chat",
          at: "2026-11-18T11:06:40.000Z",
          about: { key: "k1", network: "n1" },
        },
      });
      factors.advance(minuteMs);
    }
    expect(await sign(alert(webhook.id, "s2"))).toBeNull();
    expect(await sign(alert("hook_none"))).toBeNull();
  });
});

describe("a callback", () => {
  it.each([
    [confirm, "confirmed"],
    [refuse, "refused"],
  ] as const)("%s decides, wakes the handshake, and may come again", async (body, fate) => {
    await started();
    const { webhook, secret } = await mint();
    const { waitId } = await start(webhook.id);
    expect(await decide(waitId, secret, body)).toBe("taken");
    expect(await fateOf(waitId)).toBe(fate);
    expect(await decide(waitId, secret, body)).toBe("taken");
    expect(new Set(woken)).toEqual(new Set([waitId]));
  });

  it("stands against every other: the first decision, and the first under its id", async () => {
    await started();
    const { webhook, secret } = await mint();
    const { waitId } = await start(webhook.id);
    expect(await decide(waitId, secret, refuse, { id: "msg_a" })).toBe("taken");
    expect(await decide(waitId, secret, confirm, { id: "msg_a" })).toBe("refused");
    expect(await decide(waitId, secret, confirm, { id: "msg_b" })).toBe("late");
    expect(await fateOf(waitId)).toBe("refused");
  });

  it("decides on one wait: who has seen it cannot send it to another one, on either replica or at once", async () => {
    await started();
    const { webhook, secret } = await mint();
    const [mine, theirs] = [await start(webhook.id), await start(webhook.id)];
    expect(await decide(mine.waitId, secret, confirm, { id: "msg_a" })).toBe("taken");
    expect(await decide(theirs.waitId, secret, confirm, { id: "msg_a" })).toBe("refused");
    expect(await fateOf(theirs.waitId)).toBe("open");
    expect(await decide(mine.waitId, secret, confirm, { id: "msg_a" })).toBe("taken");

    const many = await Promise.all(Array.from({ length: 8 }, () => start(webhook.id)));
    const results = await Promise.all(many.map(({ waitId }) => decide(waitId, secret, confirm, { id: "msg_b" })));
    expect(results.toSorted()).toEqual([...Array.from({ length: 7 }, () => "refused"), "taken"]);
  });

  it("counts once, of many that come at once to both replicas", async () => {
    await started();
    const { webhook, secret } = await mint();
    const { waitId } = await start(webhook.id);
    const bodies = Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? confirm : refuse));
    const results = await Promise.all(bodies.map((body, index) => decide(waitId, secret, body, { id: `m${index}` })));
    const fate = await fateOf(waitId);
    const winners = bodies.flatMap((body, index) => (results[index] === "taken" ? [body] : []));
    expect(new Set(winners)).toEqual(new Set([fate === "confirmed" ? confirm : refuse]));
    expect(results.filter((result) => result === "late")).toHaveLength(6);
  });

  it("looks the same refused, whatever is wrong: another secret, an altered body, a stale time, an unknown wait", async () => {
    await started();
    const { webhook, secret } = await mint();
    const foreign = await mint("s2");
    const { waitId } = await start(webhook.id);
    const theirs = await start(foreign.webhook.id, { socketId: "s2" });
    const nowS = Math.floor(factors.now() / 1_000);
    expect(await decide(waitId, foreign.secret, confirm)).toBe("refused");
    expect(await decide(theirs.waitId, secret, confirm)).toBe("refused");
    expect(await decide("unknown", secret, confirm)).toBe("refused");
    expect(await decide(waitId, secret, refuse, { posted: confirm })).toBe("refused");
    expect(await decide(waitId, secret, confirm, { timestamp: nowS - 301 })).toBe("refused");
    expect(await decide(waitId, secret, confirm, { timestamp: nowS + 301 })).toBe("refused");
    expect(await decide(waitId, `whsec_${Buffer.alloc(32).toString("base64")}`, confirm)).toBe("refused");
    expect(await fateOf(waitId)).toBe("open");
    expect(await decide(waitId, secret, confirm, { timestamp: nowS - 299 })).toBe("taken");
  });

  it("that says something else is told so, because it is signed", async () => {
    await started();
    const { webhook, secret } = await mint();
    const { waitId } = await start(webhook.id);
    for (const body of ["", "confirm", "null", '{"decision":"maybe"}', '{"decision":"confirm","more":1}'])
      expect(await decide(waitId, secret, body), body).toBe("invalid");
    expect(await fateOf(waitId)).toBe("open");
  });

  it("opens no wait that somebody else decides on, and none that is over", async () => {
    await started();
    const { webhook, secret } = await mint();
    const byMail = {
      waitId: "mail1",
      handshake: freshHid(),
      socketId: "s1",
      enrolmentId: "e1",
      gate: "email",
      config: { by: "link" },
      to: "grace@receiver.example",
      member: "bob",
      label: "chat",
      network: "n1",
      untilMs: factors.now() + minuteMs,
    };
    await factors.identity.call(startWait, byMail);
    expect(await decide("mail1", secret, confirm)).toBe("refused");
    const { waitId } = await start(webhook.id, { untilMs: factors.now() + minuteMs });
    factors.advance(minuteMs);
    expect(await decide(waitId, secret, confirm)).toBe("late");
  });

  it("is signed by the secret before as well for a day after another was made, and not by the one before that", async () => {
    await started();
    const { webhook, secret: first } = await mint();
    const mine = { socketId: "s1", webhookId: webhook.id };
    const { secret: second, webhook: renewed } = await factors.identity.call(renewWebhook, mine);
    expect(renewed).toMatchObject({ id: webhook.id, previousUntilMs: factors.now() + dayMs });
    const one = await start(webhook.id);
    const sending = await sendingOf(one.waitId);
    const message = await compose(one.waitId, sending);
    const timestamp = Math.floor(factors.now() / 1_000);
    const signature = (secret: string) =>
      signed(secret, message?.body ?? "", { id: sending, timestamp })["webhook-signature"];
    expect(message?.headers["webhook-signature"]).toBe(`${signature(second)} ${signature(first)}`);
    expect(await decide(one.waitId, first, confirm)).toBe("taken");
    const two = await start(webhook.id);
    expect(await decide(two.waitId, second, confirm, { id: "msg_2" })).toBe("taken");

    factors.advance(dayMs);
    const three = await start(webhook.id);
    expect(await decide(three.waitId, first, confirm)).toBe("refused");
    await factors.identity.call(renewWebhook, mine);
    const { secret: fourth } = await factors.identity.call(renewWebhook, mine);
    expect(await decide(three.waitId, second, confirm)).toBe("refused");
    expect(await decide(three.waitId, fourth, confirm, { id: "msg_3" })).toBe("taken");
  });

  it("is not looked at any more from a network that sent too many that were refused", async () => {
    await started();
    const { webhook, secret } = await mint();
    const { waitId } = await start(webhook.id);
    for (let tries = 0; tries < 60; tries += 1) expect(await decide("unknown", secret, confirm)).toBe("refused");
    await expect(decide(waitId, secret, confirm)).rejects.toMatchObject({ code: "too_many", retryAfterS: 600 });
    expect(await decide(waitId, secret, confirm, { address: "198.51.100.7" })).toBe("taken");
  });
});

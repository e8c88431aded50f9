import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  composeWait,
  readOutbox,
  reportTwilio,
  reportWait,
  ServiceError,
  waitQueue,
  wakeQueue,
  wakeWait,
} from "@portcullis/contracts";
import { readConfig } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { notifyConfig, run } from "../src/run.ts";
import { noVoice } from "../src/transports/choose.ts";
import { NotSentError } from "../src/transports/not-sent.ts";
import type { SmsTransport } from "../src/transports/transport.ts";
import { startWaitWorker } from "../src/waits/worker.ts";
import { type Received, reply, startPlatform, startSmtp, type TestPlatform, until } from "./harness.ts";
import { json, startProvider } from "./support.ts";

const phone = "+4930777000111";
const mailbox = "grace.planted@receiver.example";
const text = "654321 is your code, planted";

let folder: string;
let notify: TestPlatform;
let stops: (() => Promise<void>)[] = [];
/** What `factors` was told, in order. */
let reports: string[] = [];
/** How often it was asked what to send. */
let asked = 0;
/** How often a report is refused before it is heard. */
let deaf = 0;
let composed: { channel: "email" | "sms" | "call"; to: string } | null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waits-"));
  notify = await startPlatform();
  [reports, asked, deaf, composed, stops] = [[], 0, 0, { channel: "sms", to: phone }, []];
  const factors = notify.as("factors");
  await factors.serve(composeWait, () => {
    asked += 1;
    return {
      message:
        composed === null ? null : { ...composed, subject: "Your planted code", text, untilMs: Date.now() + 60_000 },
    };
  });
  await factors.serve(reportWait, ({ sending, status }) => {
    if (deaf > 0) {
      deaf -= 1;
      throw new ServiceError("unavailable");
    }
    reports.push(`${sending} ${status}`);
    return {};
  });
});
afterEach(async () => {
  await notify.stop();
  for (const stop of stops) await stop();
  await rm(folder, { recursive: true });
  notify.expectDiscreet();
  for (const secret of [phone, "654321"]) expect(notify.logged.join("")).not.toContain(secret);
});

const start = (env: Record<string, string> = {}) =>
  run(
    notify.platform,
    readConfig(notifyConfig, { OUTBOX_DIR: folder, OUTBOX_KEY: "the-key-of-the-outbox-0123", ...env }),
  );
const send = (sending = "send_1", attempts = 4) =>
  notify.platform.jobs.enqueue(
    waitQueue.names[composed?.channel ?? "sms"],
    { id: sending, data: { waitId: "wait_1", sending } },
    { attempts, backoffMs: 10 },
  );
const outbox = async (key = "the-key-of-the-outbox-0123") =>
  (await notify.callerOf("api").call(readOutbox, { key, limit: 10 })).messages;

async function smtp(options: Parameters<typeof startSmtp>[0] = {}): Promise<readonly Received[]> {
  composed = { channel: "email", to: mailbox };
  const server = await startSmtp(options);
  stops.push(server.stop);
  await start({ SMTP_URL: `smtp://127.0.0.1:${server.port}` });
  return server.received;
}
async function twilio(statuses: number[]): Promise<{ readonly posts: readonly unknown[] }> {
  const provider = await startProvider((_posted, response) => {
    const status = statuses.length > 1 ? (statuses.shift() ?? 201) : (statuses[0] ?? 201);
    if (status === 0) response.destroy();
    else json(response, status, status === 201 ? { sid: "SM1", status: "queued" } : { code: 21211, status });
  });
  stops.push(provider.stop);
  await start({
    TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
    TWILIO_AUTH_TOKEN: "planted-token-0123456789",
    TWILIO_FROM: "+15005550006",
    TWILIO_URL: provider.url.href,
  });
  return provider;
}

/** The worker by itself, which does not wait long to be heard. */
async function direct(refusal: Error | null = null): Promise<readonly string[]> {
  const sent: string[] = [];
  const sms: SmsTransport = {
    name: "webhook",
    async send(sending) {
      sent.push(sending);
      if (refusal !== null) throw refusal;
    },
  };
  const mail = { name: "smtp" as const, send: async () => undefined, close: async () => undefined };
  const from = { name: "", address: "portcullis@sender.example" };
  const worker = await startWaitWorker({
    platform: notify.platform,
    mail,
    sms,
    voice: noVoice,
    from,
    reportPauseMs: 1,
  });
  notify.platform.closer.add("wait worker", () => worker.close());
  return sent;
}

describe("the message of a wait", () => {
  it("goes out by SMTP, and that it did is reported", async () => {
    const received = await smtp();
    await send();
    await until(() => reports.length === 1);
    expect(reports).toEqual(["send_1 sent"]);
    expect(received.map((mail) => mail.to)).toEqual([[mailbox]]);
    expect(received[0]?.source).toContain("654321 is your code");
  });

  it("goes out by Twilio; a provider that is down is tried again, and the waiting client hears of it", async () => {
    const provider = await twilio([0, 503, 201]);
    await send();
    await until(() => reports.includes("send_1 sent"));
    expect(reports).toEqual(["send_1 delayed", "send_1 delayed", "send_1 sent"]);
    expect(provider.posts).toHaveLength(3);
  });

  it("is given up when the provider refuses it for good, at once", async () => {
    const provider = await twilio([400]);
    await send();
    await until(() => reports.length === 1);
    expect(reports).toEqual(["send_1 failed"]);
    expect(provider.posts).toHaveLength(1);
  });

  it("is given up when it could not be sent often enough", async () => {
    const provider = await twilio([500]);
    await send("send_1", 3);
    await until(() => reports.includes("send_1 failed"));
    expect(reports).toEqual(["send_1 delayed", "send_1 delayed", "send_1 delayed", "send_1 failed"]);
    expect(provider.posts).toHaveLength(3);
  });

  it("is tried again where a mail server says so, and not where it refuses the recipient", async () => {
    let refusals = 1;
    const received = await smtp({
      onRcptTo(_address, _session, callback) {
        refusals -= 1;
        callback(refusals < 0 ? undefined : reply(451));
      },
    });
    await send();
    await until(() => reports.includes("send_1 sent"));
    expect(reports).toEqual(["send_1 delayed", "send_1 sent"]);
    expect(received).toHaveLength(1);
  });

  it("is not sent a second time because nobody heard that it was sent", async () => {
    const sent = await direct();
    deaf = 2;
    await send();
    await until(() => reports.length === 1);
    deaf = 100;
    await send("send_2");
    await until(() => notify.said("how a message fared could not be reported").length === 1);
    await send("send_3");
    await until(() => sent.length === 3);
    expect(reports).toEqual(["send_1 sent"]);
  });

  it("is reported as it fared also where nobody listens for as long as a service takes to be started again", async () => {
    await direct(new NotSentError("ETWILIO", 21211, true));
    deaf = 7;
    await send();
    await until(() => reports.length === 1);
    expect(reports).toEqual(["send_1 failed"]);
  });

  it("goes out though the provider of the other channel stands still with all that it may have at once", async () => {
    const stuck: SmsTransport = {
      name: "webhook",
      send: (_sending, _message, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new NotSentError("ETIMEDOUT", null, false)));
        }),
    };
    const mailed: string[] = [];
    const mail = {
      name: "smtp" as const,
      send: async (id: string) => void mailed.push(id),
      close: async () => undefined,
    };
    const from = { name: "", address: "portcullis@sender.example" };
    const worker = await startWaitWorker({
      platform: notify.platform,
      mail,
      sms: stuck,
      voice: noVoice,
      from,
      concurrency: 2,
      stopMsMax: 10,
    });
    notify.platform.closer.add("wait worker", () => worker.close());
    for (const sending of ["send_1", "send_2", "send_3"]) await send(sending);
    await until(() => asked === 2);
    composed = { channel: "email", to: mailbox };
    await send("send_4");
    await until(() => reports.length === 1);
    expect([mailed, reports]).toEqual([["send_4"], ["send_4 sent"]]);
  });

  it("is not sent where there is nothing to send any more", async () => {
    composed = null;
    await start();
    await send();
    await until(() => asked === 1);
    composed = { channel: "sms", to: phone };
    await send("send_2");
    await until(() => reports.length > 0);
    expect(reports).toEqual(["send_2 sent"]);
  });

  it("goes to one address and nobody else, and to none where a contact could be read as two", async () => {
    const received = await smtp();
    composed = { channel: "email", to: `${mailbox}, eve@receiver.example` };
    await send();
    await until(() => reports.length === 1);
    expect(reports).toEqual(["send_1 failed"]);
    expect(received).toEqual([]);
  });

  it("leaves no address and no text in a job that failed", async () => {
    await twilio([400]);
    await send();
    await until(() => reports.length === 1);
    const failed = notify.said("message not sent").join("");
    expect(failed).toContain("ETWILIO 21211");
    expect(failed).not.toContain(phone);
  });
});

describe("what Twilio says of a message that it took", () => {
  const token = "planted-token-0123456789";
  const publicUrl = "https://portcullis.example.com";
  const say = (fields: Record<string, string>, authToken = token) => {
    const url = `${publicUrl}/providers/twilio/wait_1/send_1`;
    const named = Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const signature = createHmac("sha1", authToken)
      .update(`${url}${named.flat().join("")}`)
      .digest("base64");
    return notify.callerOf("api").call(reportTwilio, { waitId: "wait_1", sending: "send_1", fields, signature });
  };

  it("is told to the waiting client where it could not be delivered, and only if Twilio says so", async () => {
    await start({
      TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
      TWILIO_AUTH_TOKEN: token,
      TWILIO_FROM: "+15005550006",
      PUBLIC_URL: publicUrl,
    });
    const undelivered = { MessageStatus: "undelivered", ErrorCode: "30003", MessageSid: "SM1" };
    expect(await say(undelivered, "another token")).toEqual({ genuine: false });
    expect(await say({ ...undelivered, MessageStatus: "delivered" })).toEqual({ genuine: true });
    expect(reports).toEqual([]);
    expect(await say(undelivered)).toEqual({ genuine: true });
    expect(reports).toEqual(["send_1 failed"]);
  });

  it.each(["busy", "no-answer", "failed", "canceled"])(
    "is told of a call that is %s, and not of others",
    async (status) => {
      await start({
        TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
        TWILIO_AUTH_TOKEN: token,
        TWILIO_FROM: "+15005550006",
        TWILIO_VOICE_FROM: "+15005550006",
        PUBLIC_URL: publicUrl,
      });
      expect(await say({ CallSid: "CA1", CallStatus: status }, "another token")).toEqual({ genuine: false });
      for (const other of ["queued", "ringing", "in-progress", "completed"])
        expect(await say({ CallSid: "CA1", CallStatus: other })).toEqual({ genuine: true });
      expect(reports).toEqual([]);
      expect(await say({ CallSid: "CA1", CallStatus: status })).toEqual({ genuine: true });
      expect(reports).toEqual(["send_1 failed"]);
    },
  );

  it("is nobody's word where there is no Twilio", async () => {
    await start({ PUBLIC_URL: publicUrl });
    expect(await say({ MessageStatus: "failed" })).toEqual({ genuine: false });
  });
});

describe("a call", () => {
  it("goes out by Twilio from a queue of its own, and into the outbox where there is none", async () => {
    composed = { channel: "call", to: phone };
    await start();
    await send();
    await until(() => reports.length === 1);
    expect(reports).toEqual(["send_1 sent"]);
    expect(await outbox()).toMatchObject([{ id: "send_1", channel: "call", to: phone, text }]);
  });

  it("fails at once, and is not tried again, where messages go out and nobody can be called", async () => {
    composed = { channel: "call", to: phone };
    const server = await startSmtp();
    const provider = await startProvider((_posted, response) => json(response, 201, { sid: "SM1", status: "queued" }));
    stops.push(server.stop, provider.stop);
    await start({
      SMTP_URL: `smtp://127.0.0.1:${server.port}`,
      TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
      TWILIO_AUTH_TOKEN: "planted-token-0123456789",
      TWILIO_FROM: "+15005550006",
      TWILIO_URL: provider.url.href,
    });
    await send();
    await until(() => reports.length === 1);
    expect(reports).toEqual(["send_1 failed"]);
    expect(provider.posts).toEqual([]);
  });
});

describe("the outbox", () => {
  it("keeps what cannot be sent, newest first, for who has its key", async () => {
    await start();
    await send("send_1");
    await until(() => reports.length === 1);
    composed = { channel: "email", to: mailbox };
    await send("send_2");
    await until(() => reports.length === 2);
    const messages = (await outbox())?.map(({ id, channel, to, subject }) => ({ id, channel, to, subject }));
    expect(messages).toEqual([
      { id: "send_2", channel: "email", to: mailbox, subject: "Your planted code" },
      { id: "send_1", channel: "sms", to: phone, subject: "" },
    ]);
    await expect(outbox("another-key-of-the-same-size")).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(outbox("")).rejects.toMatchObject({ code: "unauthenticated" });
  });

  it("cannot be read without a key of its own, and is not there where everything is sent", async () => {
    await start({ OUTBOX_KEY: "" });
    expect(await outbox()).toBe(null);
  });
});

describe("a wake", () => {
  it("is repeated until the handshake has heard of it", async () => {
    let tries = 0;
    await notify.as("factors").serve(wakeWait, () => {
      tries += 1;
      if (tries < 3) throw new ServiceError("busy");
      return {};
    });
    await start();
    await notify.platform.jobs.enqueue(
      wakeQueue.name,
      { id: "wake_1", data: { waitId: "w" } },
      { attempts: 5, backoffMs: 5 },
    );
    await until(() => tries === 3);
  });
});

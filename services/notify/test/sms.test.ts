import { createHmac } from "node:crypto";
import type { ServerResponse } from "node:http";
import { readConfig, StartupError } from "@portcullis/runtime";
import { afterEach, describe, expect, it } from "vitest";
import { notifyConfig } from "../src/config.ts";
import { smsTransportOf } from "../src/transports/choose.ts";
import type { SmsTransport } from "../src/transports/transport.ts";
import { isSignedByTwilio } from "../src/transports/twilio-callback.ts";
import { json, startProvider } from "./support.ts";

const accountSid = `AC${"0123456789abcdef".repeat(2)}`;
const authToken = "planted-token-0123456789";
const nowMs = 1_795_000_000_000;
const message = {
  waitId: "wait_1",
  to: "+4930123456",
  text: "123456 is your code, planted ü",
  untilMs: nowMs + 594_500,
};
const never = new AbortController().signal;

let provider: Awaited<ReturnType<typeof startProvider>>;
afterEach(() => provider?.stop());

function transport(env: Record<string, string>): SmsTransport {
  const made = smsTransportOf(readConfig(notifyConfig, env), () => nowMs);
  if (made === null) throw new Error("no provider");
  return made;
}
async function twilio(answer: (response: ServerResponse) => void, env: Record<string, string> = {}) {
  provider = await startProvider((_posted, response) => answer(response));
  return transport({
    TWILIO_ACCOUNT_SID: accountSid,
    TWILIO_AUTH_TOKEN: authToken,
    TWILIO_FROM: "+15005550006",
    TWILIO_URL: provider.url.href,
    ...env,
  });
}
const secret = `whsec_${Buffer.from("planted-webhook-secret-0123456789").toString("base64")}`;
async function webhook(answer: (response: ServerResponse) => void) {
  provider = await startProvider((_posted, response) => answer(response));
  return transport({ SMS_WEBHOOK_URL: `${provider.url.href}sms?tenant=1`, SMS_WEBHOOK_SECRET: secret });
}
const failure = async (sms: SmsTransport, signal = never) => {
  const error = await sms.send("send_1", message, signal).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(`${error instanceof Error ? `${error.message}${error.stack}` : ""}`).not.toMatch(
    /planted|4930123456|123456 is/,
  );
  const { code, replyCode, permanent } = (error ?? {}) as Record<string, unknown>;
  return error === null ? null : { code, replyCode, permanent };
};

/** As Twilio answers a message that it has taken. */
const created = { sid: `SM${"f".repeat(32)}`, status: "queued", error_code: null, error_message: null, to: message.to };

describe("Twilio", () => {
  it("is asked as its API wants it", async () => {
    const sms = await twilio((response) => json(response, 201, created));
    await sms.send("send_1", message, never);
    const [posted] = provider.posts;
    expect(posted).toMatchObject({ method: "POST", path: `/2010-04-01/Accounts/${accountSid}/Messages.json` });
    expect(posted?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(Buffer.from(posted?.headers.authorization?.slice(6) ?? "", "base64").toString()).toBe(
      `${accountSid}:${authToken}`,
    );
    expect(Object.fromEntries(new URLSearchParams(posted?.body))).toEqual({
      To: message.to,
      Body: message.text,
      ValidityPeriod: "594",
      From: "+15005550006",
    });
  });

  it("is never asked to keep a message for less or for longer than it can", async () => {
    const sms = await twilio((response) => json(response, 201, created));
    for (const untilMs of [nowMs - 1, nowMs + 86_400_000]) await sms.send("send_1", { ...message, untilMs }, never);
    const periods = provider.posts.map(({ body }) => new URLSearchParams(body).get("ValidityPeriod"));
    expect(periods).toEqual(["1", "36000"]);
  });

  it("is asked to say what becomes of a message where it can reach us", async () => {
    const sms = await twilio((response) => json(response, 201, created), {
      PUBLIC_URL: "https://portcullis.example.com/",
    });
    await sms.send("send_1", message, never);
    expect(new URLSearchParams(provider.posts[0]?.body).get("StatusCallback")).toBe(
      "https://portcullis.example.com/providers/twilio/wait_1/send_1",
    );
  });

  it.each([
    "https://localhost:8443",
    "https://portcullis.localhost",
    "https://127.0.0.1",
    "https://[::1]",
    "http://p.example",
  ])("is not asked where it cannot: it refuses a message with such an address (%s)", async (publicUrl) => {
    const sms = await twilio((response) => json(response, 201, created), { PUBLIC_URL: publicUrl });
    await sms.send("send_1", message, never);
    expect(new URLSearchParams(provider.posts[0]?.body).has("StatusCallback")).toBe(false);
  });

  it("signs as its documentation shows", () => {
    // https://www.twilio.com/docs/usage/security: the example there, whose signature is known.
    const example = {
      authToken: "12345",
      url: "https://mycompany.com/myapp.php?foo=1&bar=2",
      fields: {
        CallSid: "CA1234567890ABCDE",
        Caller: "+14158675310",
        Digits: "1234",
        From: "+14158675310",
        To: "+18005551212",
      },
      signature: "GvWf1cFY/Q7PnoempGyD5oXAezc=",
    };
    expect(isSignedByTwilio(example)).toBe(true);
    for (const change of [
      { authToken: "12346" },
      { url: "https://mycompany.com/myapp.php?foo=1&bar=3" },
      { fields: { ...example.fields, Digits: "1235" } },
      { fields: { ...example.fields, More: "1" } },
      { signature: "" },
      { signature: "GvWf1cFY/Q7PnoempGyD5oXAezg=" },
    ])
      expect(isSignedByTwilio({ ...example, ...change })).toBe(false);
  });

  it("sends by a messaging service where one is named", async () => {
    const service = `MG${"a".repeat(32)}`;
    const sms = await twilio((response) => json(response, 201, created), { TWILIO_FROM: service });
    await sms.send("send_1", message, never);
    const form = new URLSearchParams(provider.posts[0]?.body);
    expect([form.get("MessagingServiceSid"), form.has("From")]).toEqual([service, false]);
  });

  /** https://www.twilio.com/docs/api/errors */
  it.each([
    [400, 21211, true, "an invalid number"],
    [400, 21614, true, "no mobile number"],
    [400, 21610, true, "somebody who has unsubscribed"],
    [400, 21408, true, "a region that is not permitted"],
    [400, 21617, true, "a text that is too long"],
    [401, 20003, false, "credentials that the operator can mend"],
    [403, 20005, false, "an account that is suspended"],
    [404, 20404, false, "an account that is not there"],
    [429, 20429, false, "too many requests"],
    [400, 20429, false, "too many requests, said otherwise"],
    [500, 20500, false, "an error of Twilio's"],
    [503, 20503, false, "a service that is not available"],
  ])("%d %d is final: %s (%s)", async (status, code, permanent) => {
    const sms = await twilio((response) =>
      json(response, status, { code, message: `The number ${message.to} planted`, more_info: "https://…", status }),
    );
    expect(await failure(sms)).toEqual({ code: "ETWILIO", replyCode: code, permanent });
  });

  it("is not believed that it took what it says has failed", async () => {
    const sms = await twilio((response) => json(response, 201, { ...created, status: "failed", error_code: 30006 }));
    expect(await failure(sms)).toEqual({ code: "ETWILIO", replyCode: 30006, permanent: true });
  });

  it.each([
    ["an answer that is no JSON", (response: ServerResponse) => void response.writeHead(502).end("<html>"), 502],
    [
      "a redirect",
      (response: ServerResponse) => void response.writeHead(307, { location: "https://evil.example/" }).end(),
      null,
    ],
    ["a connection that breaks", (response: ServerResponse) => void response.destroy(), null],
  ])("%s is tried again", async (_what, answer, replyCode) => {
    expect(await failure(await twilio(answer))).toEqual({
      code: replyCode === null ? "ECONNECTION" : "ETWILIO",
      replyCode,
      permanent: false,
    });
  });

  it("that does not answer, or without end, is given up", async () => {
    const silent = await twilio(() => undefined);
    expect(await failure(silent, AbortSignal.timeout(50))).toMatchObject({ code: "ETIMEDOUT", permanent: false });
    await provider.stop();
    const endless = await twilio((response) => {
      response.writeHead(201);
      response.write("x".repeat(200_000));
    });
    expect(await failure(endless)).toBe(null);
  });

  it("that has taken the message has taken it, however its answer ends: it would go out a second time", async () => {
    const broken = await twilio((response) => {
      response.writeHead(201, { "content-length": "500" });
      response.write('{"sid":');
      setTimeout(() => response.destroy(), 20);
    });
    expect(await failure(broken)).toBe(null);
    await provider.stop();
    const slow = await twilio((response) => {
      response.writeHead(201);
      response.write('{"sid":');
    });
    expect(await failure(slow, AbortSignal.timeout(300))).toBe(null);
  });

  it("that is not there is tried again", async () => {
    const sms = await twilio(() => undefined);
    await provider.stop();
    expect(await failure(sms)).toEqual({ code: "ECONNECTION", replyCode: null, permanent: false });
  });
});

describe("a webhook of the operator's", () => {
  it("gets what is to be sent, signed so that it can be verified by anybody who has the secret", async () => {
    const sms = await webhook((response) => void response.writeHead(204).end());
    await sms.send("send_1", message, never);
    const [posted] = provider.posts;
    expect(posted).toMatchObject({ method: "POST", path: "/sms?tenant=1" });
    expect(JSON.parse(posted?.body ?? "")).toEqual({
      type: "sms.send",
      timestamp: new Date(nowMs).toISOString(),
      data: { to: message.to, text: message.text, expiresAt: new Date(message.untilMs).toISOString() },
    });
    const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature } = posted?.headers ?? {};
    expect([id, timestamp]).toEqual(["send_1", "1795000000"]);
    // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${posted?.body}`).digest("base64");
    expect(signature).toBe(`v1,${expected}`);
  });

  it("has the same id when it is tried again", async () => {
    const sms = await webhook((response) => void response.writeHead(503).end());
    await failure(sms);
    await failure(sms);
    expect(provider.posts.map(({ headers }) => headers["webhook-id"])).toEqual(["send_1", "send_1"]);
  });

  it.each([
    [400, true],
    [410, true],
    [422, true],
    [401, false],
    [404, false],
    [429, false],
    [500, false],
  ])("that says %d is final: %s", async (status, permanent) => {
    const sms = await webhook((response) => void response.writeHead(status).end("planted"));
    expect(await failure(sms)).toEqual({ code: "EWEBHOOK", replyCode: status, permanent });
  });
});

describe("settings of text messages", () => {
  const choose = (env: Record<string, string>) => smsTransportOf(readConfig(notifyConfig, env), () => nowMs);
  const whole = { TWILIO_ACCOUNT_SID: accountSid, TWILIO_AUTH_TOKEN: authToken, TWILIO_FROM: "+15005550006" };

  it("may be left out", () => {
    expect(choose({})).toBe(null);
  });

  it.each(Object.keys(whole))("are not taken in part: %s", (name) => {
    const { [name]: _, ...rest } = whole as Record<string, string>;
    expect(() => choose(rest)).toThrow(StartupError);
    expect(() => choose(rest)).toThrow(`missing: ${name}`);
  });

  it("name one way only", () => {
    const both = { ...whole, SMS_WEBHOOK_URL: "https://sms.example/", SMS_WEBHOOK_SECRET: secret };
    expect(() => choose(both)).toThrow(/both set/);
    expect(() => choose({ SMS_WEBHOOK_URL: "https://sms.example/" })).toThrow("missing: SMS_WEBHOOK_SECRET");
  });

  it.each([
    { TWILIO_ACCOUNT_SID: "AC1" },
    { TWILIO_FROM: "030123456" },
    { TWILIO_URL: "http://twilio.example" },
    { SMS_WEBHOOK_URL: "http://sms.example/" },
    { SMS_WEBHOOK_URL: "https://user:pass@sms.example/" },
    { SMS_WEBHOOK_SECRET: "whsec_c2hvcnQ=" },
    { SMS_WEBHOOK_SECRET: "no prefix" },
    { OUTBOX_KEY: "short" },
  ])("are refused where they make no sense: %j", (env) => {
    expect(() => readConfig(notifyConfig, env)).toThrow(Object.keys(env)[0]);
  });
});

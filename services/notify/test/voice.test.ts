import type { ServerResponse } from "node:http";
import { readConfig, StartupError } from "@portcullis/runtime";
import { afterEach, describe, expect, it } from "vitest";
import { notifyConfig } from "../src/config.ts";
import { voiceTransportOf } from "../src/transports/choose.ts";
import { json, startProvider } from "./support.ts";

const accountSid = `AC${"0123456789abcdef".repeat(2)}`;
const authToken = "planted-token-0123456789";
const nowMs = 1_795_000_000_000;
const call = {
  waitId: "wait_1",
  to: "+4930123456",
  lines: ["Hello from chat<&\"'.", "The code is: 1, 2, 3, 4, 5, 6.", "Once more: 1, 2, 3, 4, 5, 6."],
  untilMs: nowMs + 594_500,
};
const never = new AbortController().signal;
/** As Twilio answers a call that it has taken. */
const created = { sid: `CA${"f".repeat(32)}`, status: "queued", to: call.to, from: "+15005550006", direction: null };

let provider: Awaited<ReturnType<typeof startProvider>>;
afterEach(() => provider?.stop());

async function twilio(answer: (response: ServerResponse) => void, env: Record<string, string> = {}) {
  provider = await startProvider((_posted, response) => answer(response));
  const settings = {
    TWILIO_ACCOUNT_SID: accountSid,
    TWILIO_AUTH_TOKEN: authToken,
    TWILIO_VOICE_FROM: "+15005550006",
    TWILIO_URL: provider.url.href,
    ...env,
  };
  const made = voiceTransportOf(readConfig(notifyConfig, settings), () => nowMs);
  if (made === null) throw new Error("no provider");
  return made;
}
const fieldsOf = (body = "") => Object.fromEntries(new URLSearchParams(body));

describe("a call by Twilio", () => {
  it("is asked for as its API wants it, and says what it has to say in the request itself", async () => {
    const voice = await twilio((response) => json(response, 201, created));
    await voice.send("send_1", call, never);
    const [posted, ...more] = provider.posts;
    expect(more).toEqual([]);
    expect(posted).toMatchObject({ method: "POST", path: `/2010-04-01/Accounts/${accountSid}/Calls.json` });
    expect(Buffer.from(posted?.headers.authorization?.slice(6) ?? "", "base64").toString()).toBe(
      `${accountSid}:${authToken}`,
    );
    expect(fieldsOf(posted?.body)).toEqual({
      To: call.to,
      From: "+15005550006",
      Twiml:
        '<Response><Say language="en-US">Hello from chat&lt;&amp;&quot;&apos;.</Say><Pause length="1"/>' +
        '<Say language="en-US">The code is: 1, 2, 3, 4, 5, 6.</Say><Pause length="1"/>' +
        '<Say language="en-US">Once more: 1, 2, 3, 4, 5, 6.</Say></Response>',
      Timeout: "30",
      TimeLimit: "60",
    });
  });

  it("is followed where Twilio can reach us", async () => {
    const voice = await twilio((response) => json(response, 201, created), { PUBLIC_URL: "https://p.example.com" });
    await voice.send("send_1", call, never);
    expect(fieldsOf(provider.posts[0]?.body).StatusCallback).toBe(
      "https://p.example.com/providers/twilio/wait_1/send_1",
    );
  });

  it.each<[string, (response: ServerResponse) => void, object]>([
    ["a number that it does not call", (to) => json(to, 400, { code: 21_211, status: 400 }), { permanent: true }],
    ["one that it gave up at once", (to) => json(to, 201, { ...created, status: "failed" }), { permanent: true }],
    ["too many", (to) => json(to, 429, { code: 20_429, status: 429 }), { permanent: false }],
    ["its own trouble", (to) => json(to, 503, {}), { permanent: false }],
  ])("fails for %s, and says neither number nor code", async (_what, answer, failure) => {
    const voice = await twilio(answer);
    const error = await voice.send("send_1", call, never).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "ETWILIO", ...failure });
    expect(error instanceof Error ? `${error.message}${error.stack}` : "none").not.toMatch(/4930123456|1, 2|planted/);
  });

  it("is not made for a code that is dead", async () => {
    const voice = await twilio((response) => json(response, 201, created));
    const late = voice.send("send_1", { ...call, untilMs: nowMs }, never);
    await expect(late).rejects.toMatchObject({ permanent: true });
    expect(provider.posts).toEqual([]);
  });

  it("comes from a number, and needs an account", () => {
    const made = (env: Record<string, string>) => voiceTransportOf(readConfig(notifyConfig, env), () => nowMs);
    expect(made({})).toBe(null);
    expect(() => made({ TWILIO_VOICE_FROM: "+15005550006" })).toThrow(StartupError);
    expect(() => made({ TWILIO_VOICE_FROM: `MG${"0".repeat(32)}` })).toThrow(StartupError);
  });
});

import { afterEach, beforeEach, expect, test } from "vitest";
import { startApi, type TestApi } from "./api.ts";

const contract = "notify.twilio.report";
let api: TestApi;
beforeEach(async () => {
  api = await startApi();
  api.answers[contract] = { genuine: true };
});
afterEach(() => api.close());

const signed = { "x-twilio-signature": "c2lnbmVk" };
const post = (body: string, headers: Record<string, string> = signed, path = "wait_1/send_1") =>
  fetch(`${api.url}/providers/twilio/${path}`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body,
  });

test("what Twilio says of a message goes to who can tell whether it is Twilio", async () => {
  const answer = await post("MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003&To=%2B4930");
  expect([answer.status, await answer.text()]).toEqual([204, ""]);
  expect(api.asked).toEqual([
    {
      name: contract,
      body: {
        waitId: "wait_1",
        sending: "send_1",
        fields: { MessageSid: "SM1", MessageStatus: "undelivered", ErrorCode: "30003", To: "+4930" },
        signature: "c2lnbmVk",
      },
    },
  ]);
});

test("what is not signed, not genuine or no form at all is refused", async () => {
  expect((await post("MessageStatus=failed", {})).status).toBe(403);
  expect((await post("MessageStatus=failed", { "x-twilio-signature": "x".repeat(65) })).status).toBe(403);
  expect((await post("a=b", signed, "wait%201/send_1")).status).toBe(403);
  expect((await post(`${"n".repeat(65)}=1`)).status).toBe(403);
  expect((await post(`a=${"x".repeat(20_000)}`)).status).toBe(400);
  expect((await post("{}", { ...signed, "content-type": "application/json" })).status).toBe(400);
  expect(api.asked).toEqual([]);
  api.answers[contract] = { genuine: false };
  expect((await post("MessageStatus=failed")).status).toBe(403);
});

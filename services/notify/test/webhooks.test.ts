import { composeWebhook, reportWait, waitQueue } from "@portcullis/contracts";
import { createSafeFetch, type OutboundRule } from "@portcullis/runtime";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Receiver, startReceiver } from "../../../libs/runtime/test/support/webhook-receiver.ts";
import { startWebhookWorker } from "../src/webhooks/worker.ts";
import { startPlatform, type TestPlatform, until } from "./harness.ts";

const body = '{"type":"portcullis.wait.opened","data":{}}';
let notify: TestPlatform;
let owner: Receiver;
let reports: string[] = [];
/** How often `factors` was asked what to send. */
let asked = 0;
let url: string | null;
let stop: () => Promise<void>;

beforeEach(async () => {
  notify = await startPlatform();
  owner = await startReceiver();
  [reports, asked, url] = [[], 0, owner.url];
  const factors = notify.as("factors");
  await factors.serve(composeWebhook, ({ sending }) => {
    asked += 1;
    const headers = { "content-type": "application/json", "webhook-id": sending, "webhook-timestamp": `${asked}` };
    return { message: url === null ? null : { socketId: "s1", url, headers, body } };
  });
  await factors.serve(reportWait, ({ sending, status }) => {
    reports.push(`${sending} ${status}`);
    return {};
  });
});
afterEach(async () => {
  await stop();
  await owner.close();
});

const local: readonly OutboundRule[] = [{ to: "127.0.0.1", http: true }];
async function work(allow = local, timeoutMs = 10_000): Promise<void> {
  const { platform } = notify;
  const worker = await startWebhookWorker({ platform, fetch: createSafeFetch({ allow }), timeoutMs });
  stop = () => worker.close();
}
const send = (sending: string, attempts = 3) =>
  notify.platform.jobs.enqueue(
    waitQueue.names.webhook,
    { id: sending, data: { waitId: "wait_1", sending } },
    { attempts, backoffMs: 20 },
  );

it("a webhook is posted as it was signed, and that it arrived is reported", async () => {
  await work();
  await send("send_1");
  await until(() => reports.length > 0);
  expect(reports).toEqual(["send_1 sent"]);
  expect(owner.deliveries).toMatchObject([{ id: "send_1", raw: body, type: "portcullis.wait.opened" }]);
});

it("one that did not arrive is signed anew and tried again under the same id, and given up in the end", async () => {
  await work(local, 1_500);
  owner.handle = ({ timestamp }, response) => void response.writeHead(timestamp === "1" ? 503 : 200).end();
  await send("send_1");
  await until(() => reports.length > 1);
  expect(reports).toEqual(["send_1 delayed", "send_1 sent"]);
  expect(owner.deliveries.map(({ id, timestamp }) => [id, timestamp])).toEqual([
    ["send_1", "1"],
    ["send_1", "2"],
  ]);

  owner.handle = () => undefined;
  await send("send_2", 2);
  await until(() => reports.includes("send_2 failed"));
  expect(reports.filter((each) => each === "send_2 delayed")).toHaveLength(2);
});

it.each([
  ["a refusal", 400, "failed"],
  ["that it is gone", 410, "failed"],
  ["a redirect to metadata", 302, "delayed"],
] as const)("%s sends it nowhere else", async (_, status, expected) => {
  await work();
  owner.handle = (_delivery, response) =>
    void response.writeHead(status, { location: "http://169.254.169.254/latest/meta-data" }).end();
  await send("send_1", 1);
  await until(() => reports.includes("send_1 failed"));
  expect(reports[0]).toBe(`send_1 ${expected}`);
  expect(owner.deliveries).toHaveLength(1);
});

it("an address that points inside is not connected to, whoever composed it, and no log holds it", async () => {
  await work([]);
  await send("send_1");
  await until(() => reports.length > 0);
  expect(reports).toEqual(["send_1 failed"]);
  expect(owner.deliveries).toEqual([]);
  expect(notify.logged.join("")).not.toMatch(/s3cret|127\.0\.0\.1/);
  expect(notify.logged.join("")).toContain("EFORBIDDEN");
});

it("where there is nothing to send any more, nothing is sent or reported", async () => {
  await work();
  url = null;
  await send("send_1");
  await until(() => asked > 0);
  await stop();
  expect(owner.deliveries).toEqual([]);
  expect(reports).toEqual([]);
});

it("a job that names no wait is not tried again", async () => {
  await work();
  await notify.platform.jobs.enqueue(waitQueue.names.webhook, { id: "job", data: { other: 1 } }, { backoffMs: 20 });
  await until(() => notify.said("webhook given up").length > 0);
  expect(asked).toBe(0);
});

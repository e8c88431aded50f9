import { alertQueue, composeAlert } from "@portcullis/contracts";
import { createSafeFetch, type OutboundRule } from "@portcullis/runtime";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Receiver, startReceiver } from "../../../libs/runtime/test/support/webhook-receiver.ts";
import { startAlertWorker } from "../src/webhooks/alerts.ts";
import { startPlatform, type TestPlatform, until } from "./harness.ts";

const body = '{"type":"portcullis.alert","data":{}}';
const local: readonly OutboundRule[] = [{ to: "127.0.0.1", http: true }];
let notify: TestPlatform;
let owner: Receiver;
let asked = 0;
let url: string | null;
let stop: () => Promise<void>;

beforeEach(async () => {
  notify = await startPlatform();
  owner = await startReceiver();
  [asked, url] = [0, owner.url];
  await notify.as("identity").serve(composeAlert, ({ alertId }) => {
    asked += 1;
    const headers = { "content-type": "application/json", "webhook-id": alertId, "webhook-timestamp": `${asked}` };
    return { message: url === null ? null : { socketId: alertId, url, headers, body } };
  });
});
afterEach(async () => {
  await stop();
  await owner.close();
});

async function work(allow = local, timeoutMs = 10_000): Promise<void> {
  const { platform } = notify;
  const worker = await startAlertWorker({ platform, fetch: createSafeFetch({ allow }), timeoutMs });
  stop = () => worker.close();
}
const send = (alertId: string, attempts = 3) =>
  notify.platform.jobs.enqueue(alertQueue.name, { id: alertId, data: { alertId } }, { attempts, backoffMs: 20 });

it("an alert that did not arrive is signed anew and tried again under the same id, until it does", async () => {
  await work();
  owner.handle = ({ timestamp }, response) => void response.writeHead(timestamp === "1" ? 503 : 200).end();
  await send("alert_1");
  await until(() => owner.deliveries.length > 1);
  expect(owner.deliveries.map(({ id, timestamp, raw }) => [id, timestamp, raw])).toEqual([
    ["alert_1", "1", body],
    ["alert_1", "2", body],
  ]);
});

it("one whose receiver hangs is given up in the end, and others go out meanwhile", async () => {
  await work(local, 400);
  owner.handle = ({ id }, response) => void (id === "alert_1" ? undefined : response.writeHead(204).end());
  await send("alert_1", 2);
  await until(() => owner.deliveries.length === 1);
  await send("alert_2");
  await until(() => owner.deliveries.some(({ id }) => id === "alert_2"));
  await until(() => notify.said("alert given up").length > 0);
  expect(owner.deliveries.filter(({ id }) => id === "alert_1")).toHaveLength(2);
});

it("an address that points inside is not connected to, whoever composed it, and no log holds it", async () => {
  await work([]);
  await send("alert_1");
  await until(() => notify.said("alert given up").length > 0);
  expect([asked, owner.deliveries]).toEqual([1, []]);
  expect(notify.logged.join("")).not.toMatch(/s3cret|127\.0\.0\.1/);
});

it("where there is nothing to send any more, nothing is sent", async () => {
  await work();
  url = null;
  await send("alert_1");
  await until(() => asked > 0);
  await stop();
  expect(owner.deliveries).toEqual([]);
  expect(notify.said("alert given up")).toEqual([]);
});

it("a job that names no alert is not tried again", async () => {
  await work();
  await notify.platform.jobs.enqueue(alertQueue.name, { id: "job", data: { other: 1 } }, { backoffMs: 20 });
  await until(() => notify.said("alert given up").length > 0);
  expect(asked).toBe(0);
});

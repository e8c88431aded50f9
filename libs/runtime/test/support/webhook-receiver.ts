import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A program of an owner's, which reads Standard Webhooks by the letter of its specification and by no code of ours. */
export interface Receiver {
  readonly url: string;
  readonly deliveries: Delivery[];
  /** What is done with a request after it was read; default: 200 with `{}`. */
  handle: (delivery: Delivery, response: ServerResponse) => void | Promise<void>;
  close(): Promise<void>;
}

export interface Delivery {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly raw: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export async function startReceiver(): Promise<Receiver> {
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/s3cret-path`,
    deliveries: [],
    handle: (_, response) => json(response, {}),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks = await request.toArray();
    const raw = Buffer.concat(chunks).toString("utf8");
    const header = (name: string) => String(request.headers[name] ?? "");
    const { type, data } = JSON.parse(raw) as { type: string; data: Record<string, unknown> };
    const delivery = {
      id: header("webhook-id"),
      timestamp: header("webhook-timestamp"),
      signature: header("webhook-signature"),
      raw,
      type,
      data,
    };
    receiver.deliveries.push(delivery);
    await receiver.handle(delivery, response);
  }
  return receiver;
}

export function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

/** The headers of a message, signed by `whsec_…`. */
export function signed(secret: string, body: string, given: { id?: string; timestamp?: number } = {}) {
  const { id = `msg_${body.length}`, timestamp = Math.floor(Date.now() / 1_000) } = given;
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": `${timestamp}`,
    "webhook-signature": `v1,${macOf(secret, `${id}.${timestamp}.${body}`)}`,
  };
}

/** Whether one of its signatures is by this secret. */
export function isBy(secret: string, { id, timestamp, signature, raw }: Delivery): boolean {
  return signature.split(" ").includes(`v1,${macOf(secret, `${id}.${timestamp}.${raw}`)}`);
}

function macOf(secret: string, content: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return createHmac("sha256", key).update(content).digest("base64");
}

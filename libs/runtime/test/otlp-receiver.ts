import { createServer } from "node:http";

/** A span as a collector sees it. */
export interface ReceivedSpan {
  readonly service: string;
  readonly scope: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly statusCode: number;
}

export interface OtlpReceiver {
  readonly endpoint: string;
  readonly spans: ReceivedSpan[];
  /** Every request as it came, for searching planted secrets. */
  readonly requests: { readonly path: string; readonly body: Buffer }[];
  close(): Promise<void>;
}

/** A collector that remembers: OTLP/HTTP with protobuf (opentelemetry-proto, trace/v1). */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: { path: string; body: Buffer }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      requests.push({ path: request.url ?? "", body });
      if (request.url === "/v1/traces") spans.push(...spansIn(body));
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no address");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    spans,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function spansIn(body: Buffer): ReceivedSpan[] {
  return all(body, 1).flatMap((resourceSpans) => {
    const service = attributesOf(one(resourceSpans, 1), 1)["service.name"] ?? "";
    return all(resourceSpans, 2).flatMap((scopeSpans) => {
      const scope = one(one(scopeSpans, 1), 1).toString();
      return all(scopeSpans, 2).map((span) => ({
        service,
        scope,
        name: one(span, 5).toString(),
        traceId: one(span, 1).toString("hex"),
        spanId: one(span, 2).toString("hex"),
        parentSpanId: one(span, 4).toString("hex"),
        attributes: attributesOf(span, 9),
        statusCode: Number(fieldsOf(one(span, 15)).find((field) => field.number === 3)?.varint ?? 0),
      }));
    });
  });
}

/** Strings and whole numbers; that is what spans here carry. */
function attributesOf(message: Buffer, number: number): Record<string, string> {
  return Object.fromEntries(
    all(message, number).map((pair) => {
      const value = one(pair, 2);
      const whole = fieldsOf(value).find((field) => field.number === 3)?.varint;
      return [one(pair, 1).toString(), whole === undefined ? one(value, 1).toString() : String(whole)];
    }),
  );
}

interface Field {
  readonly number: number;
  readonly bytes: Buffer;
  readonly varint: bigint | undefined;
}

const all = (message: Buffer, number: number): Buffer[] =>
  fieldsOf(message)
    .filter((field) => field.number === number)
    .map((field) => field.bytes);

const one = (message: Buffer, number: number): Buffer => all(message, number)[0] ?? Buffer.alloc(0);

/** The wire format: https://protobuf.dev/programming-guides/encoding/ */
function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at];
      if (byte === undefined) throw new Error("protobuf: cut");
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    at += length;
    if (at > message.length) throw new Error("protobuf: cut");
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    if ((tag & 7) === 0) fields.push({ number, bytes: Buffer.alloc(0), varint: varint() });
    else if ((tag & 7) === 1) fields.push({ number, bytes: take(8), varint: undefined });
    else if ((tag & 7) === 2) fields.push({ number, bytes: take(Number(varint())), varint: undefined });
    else if ((tag & 7) === 5) fields.push({ number, bytes: take(4), varint: undefined });
    else throw new Error(`protobuf: wire type ${tag & 7}`);
  }
  return fields;
}

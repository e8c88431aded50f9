import { once } from "node:events";
import { type AddressInfo, createConnection, createServer } from "node:net";
import type { OpenPayload } from "@portcullis/protocol";

const delayMs = 0.5;

/**
 * Somebody on the way who gives away which socket is live: its verdict comes half a millisecond late, or with one byte another one. What finds nothing must have been
 * able to find that.
 *
 * @returns its port
 */
export async function startPlanted(
  to: number,
  { label, path }: Pick<OpenPayload["dst"], "label" | "path">,
  give: "delay" | "byte",
): Promise<number> {
  const server = createServer((client) => {
    const edge = createConnection({ port: to, host: "127.0.0.1", noDelay: true });
    client.setNoDelay(true);
    let isLive: boolean | null = null;
    client.on("data", (chunk: Buffer) => {
      isLive ??= chunk.includes(`GET /${label}/${path}?`);
      edge.write(chunk);
    });
    edge.on("data", (chunk: Buffer) => {
      const isVerdict = chunk.includes('"denied"');
      if (isLive === true && isVerdict && give === "delay") spin();
      client.write(isLive === true && isVerdict && give === "byte" ? altered(chunk) : chunk);
    });
    edge.on("end", () => client.end());
    client.on("end", () => edge.end());
    for (const each of [client, edge]) each.on("error", () => each.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** No timer is that fine. */
function spin(): void {
  const untilMs = performance.now() + delayMs;
  while (performance.now() < untilMs);
}

function altered(chunk: Buffer): Buffer {
  const other = Buffer.from(chunk);
  other.write("D", chunk.indexOf('"denied"') + 1);
  return other;
}

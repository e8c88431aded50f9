import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { startBalancer } from "./balancer.ts";

test("says of its own connections how long they stay open, and not of those behind it", async () => {
  const api = createServer((_request, response) => response.setHeader("x-of-the-api", "yes").end("hello"));
  // A program that believed this would ask over a connection that the balancer is just closing.
  api.keepAliveTimeout = 72_000;
  await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
  const { port: apiPort } = api.address() as AddressInfo;
  const balancer = await startBalancer({ port: 0, host: "127.0.0.1", apiPort, edgePorts: [] });
  const answer = await fetch(`http://127.0.0.1:${balancer.port}/`);
  expect(await answer.text()).toBe("hello");
  expect(answer.headers.get("x-of-the-api")).toBe("yes");
  expect(answer.headers.get("keep-alive")).toBe("timeout=5");
  await balancer.close();
  api.closeAllConnections();
  api.close();
});

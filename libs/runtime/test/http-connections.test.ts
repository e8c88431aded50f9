import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { type HttpConnectionLimits, limitHttpConnections } from "../src/mod.ts";

const servers: Server[] = [];
const sockets: Duplex[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Answers `/slow` when told to, everything else at once. Loopback has many addresses. */
async function serve(limits: HttpConnectionLimits) {
  const slow: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (request.url === "/slow") slow.push(response);
    else request.resume().on("end", () => response.end("there"));
  });
  servers.push(server);
  const connections = limitHttpConnections(server, limits);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  async function open(text: string, localAddress = "127.0.0.1") {
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    sockets.push(socket);
    let heard = "";
    socket.setEncoding("latin1").on("data", (chunk) => {
      heard += chunk;
    });
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write(text);
    await sleep(5);
    return { socket, heard: () => heard, isOpen: () => !socket.closed };
  }
  return { connections, slow, open, port };
}

const get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const slowGet = "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";
const halfHeaders = "GET / HTTP/1.1\r\nhost:";
const halfBody = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf";

const crowd = `
  console.log("go");
  const upgrade = "GET / HTTP/1.1\\r\\nhost: x\\r\\nconnection: upgrade\\r\\nupgrade: websocket\\r\\n\\r\\n";
  for (let n = 0; n < 200; n += 1) {
    const socket = require("node:net").connect(Number(process.argv[1]), "127.0.0.1");
    socket.on("error", () => {}).write(upgrade);
  }
`;

describe("HTTP connections", () => {
  it.each([
    ["silent", ""],
    ["sending headers", halfHeaders],
    ["sending a body", halfBody],
    ["idle", get],
  ])("that are %s make room for a newcomer, the one that was quiet longest first", async (_, text) => {
    const { open, connections } = await serve({ max: 3 });
    const [oldest, second, third] = [await open(text), await open(text), await open(text)];
    const newcomer = await open(get);
    await expect.poll(newcomer.heard).toContain("there");
    expect([oldest, second, third].map(({ isOpen }) => isOpen())).toEqual([false, true, true]);
    expect(connections.count()).toBe(3);
  });

  it("that are being answered are never given up: a newcomer is cut off then, until one is done", async () => {
    const { open, slow } = await serve({ max: 2 });
    const [one, two] = [await open(slowGet), await open(slowGet)];
    const early = await open(slowGet);
    await expect.poll(early.isOpen).toBe(false);
    expect(early.heard()).toBe("");
    slow[0]?.end("at last");
    await expect.poll(one.heard).toContain("at last");
    const late = await open(get);
    await expect.poll(late.heard).toContain("there");
    slow[1]?.end("and you");
    await expect.poll(two.heard).toContain("and you");
  });

  it("go by when they were last answered, not by when they came", async () => {
    const { open } = await serve({ max: 2 });
    const [busy, quiet] = [await open(get), await open(halfHeaders)];
    busy.socket.write(get);
    await expect.poll(() => busy.heard().split("there").length).toBe(3);
    await open(get);
    await expect.poll(quiet.isOpen).toBe(false);
    expect(busy.isOpen()).toBe(true);
  });

  it("of one network push out each other and nobody else", async () => {
    const { open } = await serve({ max: 10, perNetworkMax: 3 });
    const honest = await open(halfHeaders, "127.0.0.2");
    for (let n = 0; n < 40; n += 1) await open(halfHeaders);
    expect(honest.isOpen()).toBe(true);
    honest.socket.write(" x\r\n\r\n");
    await expect.poll(honest.heard).toContain("there");
    // Of the same address as the others, too.
    const neighbour = await open(get);
    await expect.poll(neighbour.heard).toContain("there");
    expect(sockets.filter((socket) => !socket.closed)).toHaveLength(4);
  });

  it("that come all at once are read before one of them is given up", async () => {
    const { connections, port } = await serve({ max: 400, perNetworkMax: 20 });
    let taken = 0;
    servers[0]?.on("upgrade", (_request, socket) => {
      connections.leave(socket);
      taken += 1;
      socket.resume().once("close", () => socket.destroy());
      sockets.push(socket);
    });
    // Another process, because they have to come while this one is busy.
    const child = spawn(process.execPath, ["-e", crowd, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    await expect.poll(() => taken).toBe(200);
    child.kill("SIGKILL");
  });

  it("of one that speaks for many have only the limit for all", async () => {
    const { open } = await serve({ max: 10, perNetworkMax: 1, networkOf: () => null });
    for (let n = 0; n < 10; n += 1) await open(halfHeaders);
    expect(sockets.filter((socket) => !socket.closed)).toHaveLength(10);
  });

  it("that left are counted by others", async () => {
    const { open, connections } = await serve({ max: 1 });
    servers[0]?.on("upgrade", (_request, socket) => {
      connections.leave(socket);
      socket.resume().once("end", () => socket.destroy());
    });
    const upgraded = await open("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    await expect.poll(connections.count).toBe(0);
    const [one, two] = [await open(get), await open(get)];
    await expect.poll(two.heard).toContain("there");
    expect([upgraded, one, two].map(({ isOpen }) => isOpen())).toEqual([true, false, true]);
  });

  it("leave nothing behind", async () => {
    const { open, connections } = await serve({ max: 5, perNetworkMax: 5 });
    for (let n = 0; n < 5; n += 1) await open(n % 2 === 0 ? get : halfHeaders);
    expect(connections.count()).toBe(5);
    for (const socket of sockets) socket.destroy();
    await expect.poll(connections.count).toBe(0);
  });
});

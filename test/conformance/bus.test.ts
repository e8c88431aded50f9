import { memoryBusNetwork } from "@portcullis/bus/memory";
import { connectNatsBus } from "@portcullis/bus/nats";
import { describe, it } from "vitest";
import { findNatsServer, openConfig, startNatsServer } from "../nats-permissions/nats-server.ts";
import { busSuite } from "./bus.suite.ts";

busSuite("memory", async () => {
  const network = memoryBusNetwork();
  return {
    connect: async (name, onError) => network.connect({ name, onError }),
    outage: { begin: async () => network.interrupt(), end: async () => network.restore() },
    stop: async () => undefined,
  };
});

const natsUrl = process.env.NATS_URL;
if (natsUrl !== undefined) {
  const { host, username, password } = new URL(natsUrl);
  const credentials =
    username === "" ? {} : { user: decodeURIComponent(username), password: decodeURIComponent(password) };
  busSuite("NATS of NATS_URL", async () => ({
    connect: (name, onError) => connectNatsBus({ servers: [host], name, onError, ...credentials }),
    stop: async () => undefined,
  }));
}

const binary = findNatsServer();
if (binary === undefined) {
  describe("bus: NATS, own server", () => {
    it.skip("needs nats-server on the PATH or in NATS_SERVER_BIN", () => undefined);
  });
} else {
  busSuite("NATS, own server", async () => {
    const server = await startNatsServer(binary, openConfig);
    return {
      connect: (name, onError) => connectNatsBus({ servers: [server.address], name, onError }),
      outage: { begin: () => server.kill(), end: () => server.start() },
      stop: () => server.remove(),
    };
  });
}

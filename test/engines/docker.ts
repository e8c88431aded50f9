import { existsSync } from "node:fs";
import { request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { ready } from "./ready.ts";
import type { EngineName, Way } from "./types.ts";

interface Image {
  /** Names another image, for registries of one's own and for stand-ins. */
  readonly variable: string;
  readonly default: string;
  readonly port: number;
  readonly command: readonly string[];
}

const images: Record<EngineName, Image> = {
  nats: { variable: "PORTCULLIS_TEST_NATS_IMAGE", default: "nats:2", port: 4222, command: [] },
  redis: {
    variable: "PORTCULLIS_TEST_REDIS_IMAGE",
    default: "redis:7",
    port: 6379,
    command: [
      "redis-server",
      "--save",
      "",
      "--appendonly",
      "yes",
      "--appendfsync",
      "always",
      "--maxmemory-policy",
      "noeviction",
    ],
  },
  mongodb: { variable: "PORTCULLIS_TEST_MONGODB_IMAGE", default: "mongo:8", port: 27017, command: [] },
};

const daemonTimeoutMs = 2000;
const startTimeoutMs = 180_000;
const configInContainer = "/tmp/portcullis-nats.conf";
let daemon: Promise<boolean> | undefined;

/** A container by testcontainers, where a Docker daemon answers. */
export const fromDocker: Way = async (engine, { env, natsConfig }) => {
  daemon ??= daemonAnswers(env);
  if (!(await daemon)) return null;
  // Only now: loading it takes most of a second.
  const { GenericContainer, Wait } = await import("testcontainers");
  const image = images[engine];
  const name = env[image.variable] ?? image.default;
  let container = new GenericContainer(name)
    .withExposedPorts(image.port)
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(startTimeoutMs);
  if (engine === "nats" && natsConfig) {
    container = container
      .withCopyFilesToContainer([{ source: natsConfig, target: configInContainer }])
      .withCommand(["--config", configInContainer]);
  } else if (image.command.length > 0) {
    container = container.withCommand([...image.command]);
  }
  const started = await container.start();
  const host = started.getHost();
  const port = started.getMappedPort(image.port);
  try {
    await ready(engine, host, port, 15_000);
  } catch (error) {
    await started.stop();
    throw error;
  }
  return {
    url: `${engine}://${host}:${port}`,
    from: `Docker image ${name} on ${host}:${port}`,
    stop: async () => void (await started.stop({ timeout: 1000 })),
  };
};

async function daemonAnswers(env: NodeJS.ProcessEnv): Promise<boolean> {
  if (env.DOCKER_HOST) {
    const { protocol, hostname, port, pathname } = new URL(env.DOCKER_HOST);
    return protocol === "unix:"
      ? await pings({ socketPath: pathname })
      : await pings({ host: hostname, port: Number(port) || 2375 });
  }
  const sockets = [
    "/var/run/docker.sock",
    join(env.XDG_RUNTIME_DIR ?? "/nowhere", "docker.sock"),
    join(homedir(), ".docker/run/docker.sock"),
  ];
  for (const socketPath of sockets) if (existsSync(socketPath) && (await pings({ socketPath }))) return true;
  return false;
}

function pings(where: { socketPath: string } | { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ ...where, path: "/_ping", timeout: daemonTimeoutMs }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

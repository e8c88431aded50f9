import { freePort } from "../../deploy/local/free-port.ts";
import { serverArguments } from "./arguments.ts";
import { type Daemon, findDaemon } from "./docker-api.ts";
import { ready } from "./ready.ts";
import type { EngineName, Way } from "./types.ts";

interface Image {
  /** Names another image, for registries of one's own and for stand-ins. */
  readonly variable: string;
  readonly default: string;
  readonly port: number;
  /** Before the options; empty where the image has the program as its entry point. */
  readonly program: readonly string[];
}

const images: Record<EngineName, Image> = {
  nats: { variable: "PORTCULLIS_TEST_NATS_IMAGE", default: "nats:2", port: 4222, program: [] },
  redis: { variable: "PORTCULLIS_TEST_REDIS_IMAGE", default: "redis:7", port: 6379, program: ["redis-server"] },
  mongodb: { variable: "PORTCULLIS_TEST_MONGODB_IMAGE", default: "mongo:8", port: 27017, program: ["mongod"] },
};

const startTimeoutMs = 180_000;
const configInContainer = "/portcullis-nats.conf";
let daemon: Promise<Daemon | null> | undefined;

/**
 * A container by testcontainers, where a Docker daemon answers. With `PORTCULLIS_TEST_DOCKER_NETWORK=host` it has the
 * network of the host, for daemons that cannot publish ports.
 */
export const fromDocker: Way = async (engine, { env, natsConfig }) => {
  daemon ??= findDaemon(env);
  if ((await daemon) === null) return null;
  // Only now: loading it takes most of a second.
  const { GenericContainer, StartupCheckStrategy } = await import("testcontainers");

  /** testcontainers looks for open ports with a shell inside the container, which `nats:2` lacks; `ready` asks better. */
  class Running extends StartupCheckStrategy {
    override async checkStartupState(
      ...[client, id]: Parameters<InstanceType<typeof StartupCheckStrategy>["checkStartupState"]>
    ) {
      const { State: state } = await client.getContainer(id).inspect();
      if (state.Running) return "SUCCESS";
      return state.Status === "exited" || state.Status === "dead" ? "FAIL" : "PENDING";
    }
  }

  const image = images[engine];
  const name = env[image.variable] ?? image.default;
  const onHost = env.PORTCULLIS_TEST_DOCKER_NETWORK === "host";
  const listen = onHost ? { address: "127.0.0.1", port: await freePort() } : { address: "0.0.0.0", port: image.port };
  const config = engine === "nats" ? natsConfig : undefined;
  const container = new GenericContainer(name)
    .withCommand([...image.program, ...serverArguments(engine, { ...listen, natsConfig: config && configInContainer })])
    .withWaitStrategy(new Running())
    .withStartupTimeout(startTimeoutMs);
  if (config) container.withCopyFilesToContainer([{ source: config, target: configInContainer }]);
  if (onHost) container.withNetworkMode("host");
  else container.withExposedPorts(image.port);

  const started = await container.start();
  try {
    const host = onHost ? listen.address : started.getHost();
    const port = onHost ? listen.port : started.getMappedPort(image.port);
    await ready(engine, host, port, 15_000);
    return {
      url: `${engine}://${host}:${port}`,
      from: `Docker image ${name} on ${host}:${port}`,
      stop: async () => void (await started.stop({ timeout: 1000 })),
    };
  } catch (error) {
    await started.stop();
    throw error;
  }
};

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { callDocker, type Daemon } from "./docker-api.ts";
import { startDockerDaemon } from "./docker-daemon.ts";
import { buildStandInImages, standInImages } from "./stand-in-images.ts";
import type { StartContext } from "./types.ts";

export interface ContainerEngines {
  /** What the suites look at: the engines' URLs. */
  readonly environment: Record<string, string>;
  /** @throws when what the environment names is not served, right now, by a container of a stand-in image. */
  assertContained(): Promise<void>;
  stop(): Promise<void>;
}

const urls = ["NATS_URL", "REDIS_URL", "MONGODB_URL"];
/** What would lead to other engines or to another daemon. */
const elsewhere = [...urls, "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"];

/**
 * All engines in containers, by testcontainers, on a Docker daemon of their own and without any registry.
 * @returns why not, where no daemon can be had. @throws when there is one and it does not work out.
 */
export async function startContainerEngines(
  context: Pick<StartContext, "env" | "log">,
): Promise<ContainerEngines | { readonly why: string }> {
  const { env, log } = context;
  const own = await startDockerDaemon(env);
  if ("why" in own) return own;
  let child: ChildProcess | undefined;
  const stop = async () => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child?.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
    await own.stop();
  };
  try {
    const images = await buildStandInImages(own.daemon, context);
    // testcontainers takes the daemon from the environment of its process.
    child = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
      env: {
        ...Object.fromEntries(Object.entries(env).filter(([name]) => !elsewhere.includes(name))),
        ...images,
        CI: "true",
        DOCKER_HOST: own.url,
        PORTCULLIS_TEST_DOCKER_NETWORK: "host",
        TESTCONTAINERS_HOST_OVERRIDE: "127.0.0.1",
      },
      // It ends with the channel, whatever ends this process.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const environment = await exported(child, log);
    const assertContained = () => assertServedByContainers(own.daemon, environment);
    await assertContained();
    return { environment, assertContained, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What `npm run engines` prints once all of them answer. */
function exported(child: ChildProcess, log: (line: string) => void): Promise<Record<string, string>> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("no output");
  return new Promise((resolve, reject) => {
    const environment: Record<string, string> = {};
    let said = "";
    createInterface({ input: stdout }).on("line", (line) => {
      const [, name, value] = /^export (\w+)=(.*)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) environment[name] = value;
      // It comes last.
      if (name === "PORTCULLIS_MONGO_ATOMIC") resolve(environment);
    });
    createInterface({ input: stderr }).on("line", (line) => {
      said = line;
      if (/^\w+: /.test(line)) log(line);
    });
    child.once("error", reject);
    child.once("close", () => reject(new Error(`the engines ended: ${said}`)));
  });
}

interface Container {
  readonly Image: string;
  readonly Command: string;
}

/**
 * On the host's network a port has one owner: the container whose program was told to listen there.
 *
 * @throws where one of the engines is none of a stand-in image.
 */
export async function assertServedByContainers(
  daemon: Daemon,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const containers = (await callDocker(daemon, "GET", "/containers/json", [])).flat() as Container[];
  for (const name of urls) {
    const port = new URL(environment[name] ?? "none://none").port;
    const serves = ({ Image, Command }: Container) =>
      standInImages.includes(Image) && port !== "" && ` ${Command} `.includes(` --port ${port} `);
    if (!containers.some(serves))
      throw new Error(`${name} (${environment[name] ?? "unset"}) is served by no container`);
  }
}

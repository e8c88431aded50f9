import { existsSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

/** Where a Docker daemon listens. */
export type Daemon = { readonly socketPath: string } | { readonly host: string; readonly port: number };

const pingTimeoutMs = 2000;
const callTimeoutMs = 60_000;

/** `DOCKER_HOST`, else the usual sockets. @returns null when nobody answers. */
export async function findDaemon(env: NodeJS.ProcessEnv): Promise<Daemon | null> {
  if (env.DOCKER_HOST) {
    const { protocol, hostname, port, pathname } = new URL(env.DOCKER_HOST);
    const daemon = protocol === "unix:" ? { socketPath: pathname } : { host: hostname, port: Number(port) || 2375 };
    return (await answersPing(daemon)) ? daemon : null;
  }
  const sockets = [
    "/var/run/docker.sock",
    join(env.XDG_RUNTIME_DIR ?? "/nowhere", "docker.sock"),
    join(homedir(), ".docker/run/docker.sock"),
  ];
  for (const socketPath of sockets) {
    if (existsSync(socketPath) && (await answersPing({ socketPath }))) return { socketPath };
  }
  return null;
}

export function answersPing(daemon: Daemon): Promise<boolean> {
  return send(daemon, "GET", "/_ping", pingTimeoutMs).then(
    (response) => {
      response.resume();
      return response.statusCode === 200;
    },
    () => false,
  );
}

/** One call of Docker's API. @returns the answer's lines, parsed. @throws with what the daemon says. */
export async function callDocker(
  daemon: Daemon,
  method: "GET" | "POST",
  path: string,
  query: readonly (readonly [string, string])[],
  body?: Readable,
): Promise<unknown[]> {
  const search = new URLSearchParams(query.map(([name, value]): [string, string] => [name, value]));
  const response = await send(daemon, method, `${path}?${search}`, callTimeoutMs, body);
  const answer = (await text(response)).trim();
  if ((response.statusCode ?? 500) >= 400)
    throw new Error(`Docker ${path}: ${response.statusCode} ${answer.slice(0, 300)}`);
  return answer === "" ? [] : answer.split("\n").map((line) => JSON.parse(line));
}

function send(
  daemon: Daemon,
  method: "GET" | "POST",
  path: string,
  timeoutMs: number,
  body?: Readable,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = body ? { "content-type": "application/x-tar" } : {};
    const asked = request({ ...daemon, method, path, headers, timeout: timeoutMs }, resolve);
    asked.on("timeout", () => asked.destroy(new Error(`Docker ${path}: no answer within ${timeoutMs / 1000} s`)));
    asked.on("error", reject);
    if (body) pipeline(body, asked).catch(reject);
    else asked.end();
  });
}

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../deploy/local/free-port.ts";
import { guard } from "../../deploy/local/guard.ts";

/** The path of a nats-server that runs here, or undefined. */
export function findNatsServer(): string | undefined {
  const binary = process.env.NATS_SERVER_BIN ?? "nats-server";
  return spawnSync(binary, ["--version"]).status === 0 ? binary : undefined;
}

export interface NatsServer {
  /** `127.0.0.1:port`; the same after a restart. */
  readonly address: string;
  /** SIGKILL: as a crash would. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Kills it and removes its files. */
  remove(): Promise<void>;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A server of its own on loopback. `render` gives the configuration for a port. */
export async function startNatsServer(binary: string, render: (port: number) => string): Promise<NatsServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "portcullis-nats-"));
  const file = join(folder, "nats.conf");
  writeFileSync(file, render(port), { mode: 0o600 });
  let child: ChildProcess | undefined;

  const start = async () => {
    const started = spawn(binary, ["-c", file], { stdio: ["ignore", "ignore", "pipe"] });
    guard(started);
    let said = "";
    started.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
    });
    child = started;
    for (let attempt = 0; attempt < 200; attempt += 1) {
      if (started.exitCode !== null) throw new Error(`nats-server ended: ${said}`);
      if (await accepts(port)) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`nats-server does not answer: ${said}`);
  };
  const kill = async () => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await ended;
  };

  await start();
  return {
    address: `127.0.0.1:${port}`,
    kill,
    start,
    async remove() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Everybody may do everything: for tests of the client, not of permissions. */
export function openConfig(port: number): string {
  return `host: "127.0.0.1"\nport: ${port}\nmax_payload: 4194304\n`;
}

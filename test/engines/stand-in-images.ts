import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findProgram } from "./binaries.ts";
import { callDocker, type Daemon, findDaemon } from "./docker-api.ts";
import { buildFerretDb } from "./ferretdb.ts";
import { runProgram } from "./programs.ts";
import type { EngineName, StartContext } from "./types.ts";

interface StandIn {
  readonly image: string;
  /** Its name in the image. */
  readonly program: string;
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[];
}

const standIns: Record<EngineName, StandIn> = {
  nats: {
    image: "portcullis-test-nats",
    program: "nats-server",
    changes: ['ENTRYPOINT ["/usr/bin/nats-server"]', "EXPOSE 4222"],
  },
  redis: {
    image: "portcullis-test-redis",
    program: "redis-server",
    changes: ['CMD ["redis-server"]', "WORKDIR /data", "EXPOSE 6379"],
  },
  mongodb: {
    image: "portcullis-test-mongodb",
    program: "mongod",
    changes: ['CMD ["mongod", "--bind_ip", "0.0.0.0"]', "EXPOSE 27017"],
  },
};

export const standInImages: readonly string[] = Object.values(standIns).map(({ image }) => `${image}:latest`);

/**
 * Docker images made of the programs of this machine, for a daemon that cannot pull any. Each holds one program and the
 * shared libraries that it loads. @returns the variables that make the tests use them. @throws when a program is missing.
 */
export async function buildStandInImages(
  daemon: Daemon,
  context: Pick<StartContext, "env" | "log">,
): Promise<Record<string, string>> {
  for (const [engine, standIn] of Object.entries(standIns)) {
    const program =
      findProgram(standIn.program, context.env) ?? (engine === "mongodb" ? await buildFerretDb(context) : null);
    if (program === null) throw new Error(`${standIn.program} is not installed`);
    await importImage(daemon, standIn, program, context.env);
  }
  return {
    PORTCULLIS_TEST_NATS_IMAGE: `${standIns.nats.image}:latest`,
    PORTCULLIS_TEST_REDIS_IMAGE: `${standIns.redis.image}:latest`,
    PORTCULLIS_TEST_MONGODB_IMAGE: `${standIns.mongodb.image}:latest`,
    // The reaper of testcontainers is an image of its own, which nobody could pull.
    TESTCONTAINERS_RYUK_DISABLED: "true",
  };
}

async function importImage(daemon: Daemon, standIn: StandIn, program: string, env: NodeJS.ProcessEnv): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-image-"));
  try {
    for (const each of ["usr/bin", "data/db", "tmp"]) mkdirSync(join(folder, each), { recursive: true });
    copyFileSync(program, join(folder, "usr/bin", standIn.program));
    for (const library of await librariesOf(program, env)) {
      mkdirSync(join(folder, dirname(library)), { recursive: true });
      copyFileSync(library, join(folder, library));
    }
    const tar = spawn("tar", ["-C", folder, "-c", "."], { env, stdio: ["ignore", "pipe", "ignore"] });
    const query = [
      ["fromSrc", "-"],
      ["repo", standIn.image],
      ["tag", "latest"],
      ...standIn.changes.map((change) => ["changes", change] as const),
    ] as const;
    for (const line of await callDocker(daemon, "POST", "/images/create", query, tar.stdout)) {
      // What goes wrong after the answer has begun is told in it.
      if (typeof line === "object" && line !== null && "error" in line)
        throw new Error(`Docker: ${String(line.error)}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Absolute paths. The kernel's own library has none, and a static program has no libraries: `ldd` then fails. */
async function librariesOf(program: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const listed = await runProgram("ldd", [program], { env, timeoutMs: 10_000 }).catch(() => "");
  return listed.match(/\/\S+/g) ?? [];
}

if (import.meta.main) {
  const daemon = await findDaemon(process.env);
  if (daemon === null) {
    process.stderr.write("no Docker daemon answers\n");
    process.exitCode = 1;
  } else {
    const log = (line: string) => void process.stderr.write(`${line}\n`);
    const variables = await buildStandInImages(daemon, { env: process.env, log });
    for (const [name, value] of Object.entries(variables)) process.stdout.write(`export ${name}=${value}\n`);
  }
}

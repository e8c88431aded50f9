import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { serverArguments } from "./arguments.ts";
import { startChild } from "./child.ts";
import type { EngineName, RunningEngine, StartContext, Way } from "./types.ts";

const programs: Record<EngineName, string> = { nats: "nats-server", redis: "redis-server", mongodb: "mongod" };

/** A program that is installed. */
export const fromBinary: Way = async (engine, context) => {
  const program = findProgram(programs[engine], context.env);
  return program === null ? null : await startProgram(engine, program, context);
};

export function startProgram(engine: EngineName, program: string, context: StartContext): Promise<RunningEngine> {
  const { natsConfig } = context;
  return startChild(engine, program, (port, folder) =>
    serverArguments(engine, { address: "127.0.0.1", port, folder, natsConfig }),
  );
}

export function findProgram(name: string, env: NodeJS.ProcessEnv): string | null {
  // Debian puts servers into sbin, which the PATH of an ordinary user lacks.
  for (const folder of [...(env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here.
    }
  }
  return null;
}

import { ready } from "./ready.ts";
import type { EngineName, Way } from "./types.ts";

const variables: Record<EngineName, string> = { nats: "NATS_URL", redis: "REDIS_URL", mongodb: "MONGODB_URL" };

/** What the environment names. It is used as it is and not stopped. */
export const fromEnvironment: Way = async (engine, { env }) => {
  const variable = variables[engine];
  const url = env[variable];
  if (!url) return null;
  const { hostname, port } = new URL(url);
  if (engine !== "mongodb") await ready(engine, hostname, Number(port) || (engine === "nats" ? 4222 : 6379), 5000);
  return { url, from: `${variable} of the environment`, stop: async () => undefined };
};

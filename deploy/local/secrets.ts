import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateServiceKeyPair } from "@portcullis/bus";
import { type ServiceName, services } from "@portcullis/contracts";
import { z } from "zod";

const key = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const ofService = z.strictObject({
  natsPassword: z.string().min(16),
  masterKey: key,
  sealPrivate: key,
  sealPublic: key,
});
const schema = z.strictObject({ bootstrapToken: z.string().min(24), services: z.record(z.enum(services), ofService) });

/** What a distributed deployment on this machine is made with; each process gets its own part only. */
export type Secrets = z.infer<typeof schema>;

/** Made on the first run and kept, because what the engines store can only be read with them. */
export async function readSecrets(dataDir: string): Promise<Secrets> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const file = join(dataDir, "secrets.json");
  try {
    await writeFile(file, `${JSON.stringify(generate(), null, 2)}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return schema.parse(JSON.parse(await readFile(file, "utf8")));
}

function generate(): Secrets {
  const random = () => randomBytes(32).toString("base64url");
  const made = services.map((name) => {
    const { privateKey, publicKey } = generateServiceKeyPair();
    return [
      name,
      { natsPassword: random(), masterKey: random(), sealPrivate: privateKey, sealPublic: publicKey },
    ] as const;
  });
  return { bootstrapToken: `pcb_${random()}`, services: Object.fromEntries(made) as Secrets["services"] };
}

/** The environment of one service's process: its own secrets, and everybody's public keys. */
export function environmentOf(service: ServiceName, secrets: Secrets): Record<string, string> {
  const own = secrets.services[service];
  const directory = services.map((name) => `${name}=${secrets.services[name].sealPublic}`).join(",");
  const stores = service === "identity" || service === "factors" || service === "keys";
  return {
    NATS_PASSWORD: own.natsPassword,
    SEAL_KEY: own.sealPrivate,
    SEAL_DIRECTORY: directory,
    ...(stores ? { MASTER_KEY: own.masterKey } : {}),
    ...(service === "identity" ? { BOOTSTRAP_TOKEN: secrets.bootstrapToken } : {}),
  };
}

import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { contracts, services } from "@portcullis/contracts";
import { readOutboxKey } from "../local/outbox-key.ts";
import { environmentOf, readSecrets } from "../local/secrets.ts";
import { renderNatsConfig, serviceUsers } from "../nats/permissions.ts";

const help = `npm run containers:prepare [-- options]

Writes what docker-compose.yml needs and nobody else may see, once: secrets of each service, the users of NATS, and a certificate for
localhost. What is there already stays as it is: with other secrets, what the stores hold could not be read any more. So do settings that
were added to the file of a service.

  --folder FOLDER   default deploy/compose/generated
  --host NAME       for the certificate, beside localhost; may be given more than once. The certificate is good for 90 days: remove
                    tls/server.pem for another one
  --help
`;

/** @throws {Error} openssl cannot be had */
async function makeCertificate(folder: string, hosts: readonly string[]): Promise<void> {
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "ca.pem")];
  const names = ["DNS:localhost", "IP:127.0.0.1", ...hosts.map((host) => `DNS:${host}`)].join(",");
  const subject = ["-subj", "/CN=localhost", "-addext", `subjectAltName=${names}`];
  // LibreSSL, which is what macOS has, does not know the newer name of `-nodes`.
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90"];
  try {
    await promisify(execFile)("openssl", ["req", ...kind, ...subject, "-keyout", key, "-out", certificate]);
  } catch (cause) {
    throw new Error(
      "openssl, which makes the certificate, cannot be run: install it, or put tls/server.pem there yourself",
      {
        cause,
      },
    );
  }
  await writeShared(folder, "server.pem", `${await readFile(certificate, "utf8")}${await readFile(key, "utf8")}`);
}

/** For containers, in which nobody is root or owns the file; whatever the umask is here. */
async function writeShared(folder: string, name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), text);
  await chmod(folder, 0o755);
  await chmod(join(folder, name), 0o644);
}

/** Null where it is not there. */
async function textOf(file: string): Promise<string | null> {
  return readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
}

/** What it holds beside these settings stays: somebody has added it. */
async function writeSettings(file: string, settings: Readonly<Record<string, string>>): Promise<void> {
  const added = ((await textOf(file)) ?? "")
    .split("\n")
    .filter((line) => line !== "" && !Object.hasOwn(settings, line.split("=", 1)[0] ?? ""));
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  await writeFile(file, `${[...lines, ...added].join("\n")}\n`, { mode: 0o600 });
}

async function prepare(folder: string, hosts: readonly string[]): Promise<void> {
  const secrets = await readSecrets(folder);
  // Only who may enter this folder reads what is in it; containers see parts of it under other names.
  await chmod(folder, 0o700);
  const outboxKey = await readOutboxKey(folder);
  for (const service of services) {
    const own = { ...environmentOf(service, secrets), ...(service === "notify" ? { OUTBOX_KEY: outboxKey } : {}) };
    await writeSettings(join(folder, `${service}.env`), own);
  }
  const passwords = Object.fromEntries(services.map((name) => [name, secrets.services[name].natsPassword]));
  const nats = renderNatsConfig({ users: serviceUsers(contracts, passwords), host: "0.0.0.0", port: 4222 });
  await mkdir(join(folder, "nats"), { recursive: true });
  await writeShared(join(folder, "nats"), "nats.conf", nats);
  await writeSettings(join(folder, "owner.env"), { BOOTSTRAP_TOKEN: secrets.bootstrapToken, OUTBOX_KEY: outboxKey });
  const tls = join(folder, "tls");
  await mkdir(tls, { recursive: true });
  if ((await textOf(join(tls, "server.pem"))) === null) await makeCertificate(tls, hosts);
  else if (hosts.length > 0)
    throw new Error(`there is a certificate already: remove ${tls}/server.pem for another one`);
}

const generated = fileURLToPath(new URL("generated", import.meta.url));
try {
  const { values } = parseArgs({
    options: {
      folder: { type: "string", default: generated },
      host: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) process.stdout.write(help);
  else {
    await prepare(values.folder, values.host);
    const next = values.folder === generated ? "\nNext: docker compose up --build --scale edge=2 --scale keys=2" : "";
    process.stdout.write(`Prepared in ${values.folder}.${next}\n`);
  }
} catch (error) {
  process.stderr.write(`containers:prepare: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

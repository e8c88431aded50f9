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
localhost. What is there already stays as it is: with other secrets, what the stores hold could not be read any more.

  --folder FOLDER   default deploy/compose/generated
  --host NAME       for the certificate, beside localhost; may be given more than once
  --help
`;

/** @throws {Error} openssl cannot be had */
async function makeCertificate(folder: string, hosts: readonly string[]): Promise<void> {
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "ca.pem")];
  const names = ["DNS:localhost", "IP:127.0.0.1", ...hosts.map((host) => `DNS:${host}`)].join(",");
  const subject = ["-subj", "/CN=localhost", "-addext", `subjectAltName=${names}`];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "90"];
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
  const both = `${await readFile(certificate, "utf8")}${await readFile(key, "utf8")}`;
  // HAProxy is not root in its container.
  await writeFile(join(folder, "server.pem"), both, { mode: 0o644 });
}

async function isThere(file: string): Promise<boolean> {
  return readFile(file).then(
    () => true,
    () => false,
  );
}

async function prepare(folder: string, hosts: readonly string[]): Promise<void> {
  const secrets = await readSecrets(folder);
  const outboxKey = await readOutboxKey(folder);
  for (const service of services) {
    const own = { ...environmentOf(service, secrets), ...(service === "notify" ? { OUTBOX_KEY: outboxKey } : {}) };
    const lines = Object.entries(own).map(([name, value]) => `${name}=${value}`);
    await writeFile(join(folder, `${service}.env`), `${lines.join("\n")}\n`, { mode: 0o600 });
  }
  const passwords = Object.fromEntries(services.map((name) => [name, secrets.services[name].natsPassword]));
  const nats = renderNatsConfig({ users: serviceUsers(contracts, passwords), host: "0.0.0.0", port: 4222 });
  await mkdir(join(folder, "nats"), { recursive: true });
  await writeFile(join(folder, "nats", "nats.conf"), nats, { mode: 0o644 });
  const owner = { BOOTSTRAP_TOKEN: secrets.bootstrapToken, OUTBOX_KEY: outboxKey };
  const ofOwner = Object.entries(owner).map(([name, value]) => `${name}=${value}`);
  await writeFile(join(folder, "owner.env"), `${ofOwner.join("\n")}\n`, { mode: 0o600 });
  const tls = join(folder, "tls");
  await mkdir(tls, { recursive: true });
  if (!(await isThere(join(tls, "server.pem")))) await makeCertificate(tls, hosts);
  // Only who may enter this folder reads what is in it; containers see parts of it under other names.
  await chmod(folder, 0o700);
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
    process.stdout.write(
      `Prepared in ${values.folder}.\nNext: docker compose up --build --scale edge=2 --scale keys=2\n`,
    );
  }
} catch (error) {
  process.stderr.write(`containers:prepare: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

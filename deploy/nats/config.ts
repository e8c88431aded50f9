/**
 * Prints a nats-server configuration.
 *
 *     node deploy/nats/config.ts --passwords <file> [--host 0.0.0.0] [--port 4222]
 *
 * The file is JSON: for each service, and for `operator` if there is one, a password or its bcrypt hash.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { contracts, services } from "@portcullis/contracts";
import { z } from "zod";
import { type NatsUser, operatorPermissions, renderNatsConfig, serviceUsers } from "./permissions.ts";

const passwordsFile = z.partialRecord(z.enum([...services, "operator"]), z.string().min(1));

function readPasswords(path: string): z.infer<typeof passwordsFile> {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // Not the cause: a parser's message quotes what it read.
    throw new Error("the passwords file cannot be read as JSON");
  }
  const parsed = passwordsFile.safeParse(document);
  if (!parsed.success) throw new Error(`the passwords file: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      passwords: { type: "string" },
      host: { type: "string", default: "0.0.0.0" },
      port: { type: "string", default: "4222" },
    },
  });
  const port = Number(values.port);
  if (values.passwords === undefined) throw new Error("--passwords <file> is missing");
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error("--port is not a port");
  const passwords = readPasswords(values.passwords);
  const { operator } = passwords;
  const extra: NatsUser[] =
    operator === undefined ? [] : [{ user: "operator", password: operator, ...operatorPermissions }];
  const users = [...serviceUsers(contracts, passwords), ...extra];
  process.stdout.write(renderNatsConfig({ users, host: values.host, port }));
}

try {
  main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : "failed"}\n`);
  process.exitCode = 1;
}

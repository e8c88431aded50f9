import { readArguments } from "../arguments.ts";
import { exitCodes, Sorry } from "../exit.ts";
import { harmless, harmlessJson } from "../harmless.ts";
import { textIn } from "../owner/commands/files.ts";
import { type Verified, verifyExport } from "./verify.ts";

const help = `portcullis audit verify FILE [options]          also: npm run portcullis -- audit verify FILE [options]

Checks what portcullis owner audit export has written: that no record in it was changed, removed, added or moved, that it begins and ends where the server says, and
that it was this server which said so. Nobody is asked; - is standard input.

  --pin FINGERPRINT      the server whose statement it has to be; portcullis owner server says it. Without it, anybody's statement will do
  --previous FILE        an earlier export of the same socket: what was in it must be there as it was, but for what was removed by its age
  --json                 for programs

Exit code: 0 it verifies, 1 it does not, 2 wrong arguments or no such file.
`;

const flag = { type: "boolean", default: false } as const;
const text = { type: "string" } as const;
const options = { pin: text, previous: text, json: flag, help: flag };

export async function auditCommand(args: readonly string[]): Promise<number> {
  const { values, words } = readArguments("portcullis audit", args, options);
  const [name, file, ...more] = words;
  if (values.help || name === undefined) {
    process.stdout.write(help);
    return values.help ? exitCodes.ok : exitCodes.usage;
  }
  if (name !== "verify")
    throw new Sorry(exitCodes.usage, "there is no command of that name: see portcullis audit --help");
  if (file === undefined || more.length > 0) throw new Sorry(exitCodes.usage, "it is: portcullis audit verify FILE");
  const earlier = values.previous === undefined ? null : await textIn(values.previous);
  const verified = await verifyExport(await textIn(file), { pin: values.pin ?? null, earlier });
  process.stdout.write(`${values.json ? harmlessJson(verified) : describe(verified)}\n`);
  return verified.ok ? exitCodes.ok : exitCodes.refused;
}

function describe({
  ok,
  socket,
  blocks,
  entries,
  first,
  last,
  signedAtMs,
  fingerprint,
  pinned,
  problem,
}: Verified): string {
  if (!ok) return `It does NOT verify. Line ${problem?.line}: ${problem?.what}.`;
  const when = new Date(signedAtMs ?? 0).toISOString();
  const whose = pinned
    ? "the server that you named"
    : `the server ${fingerprint}. Whether that is yours, this cannot say: name it with --pin`;
  return [
    `It verifies: ${entries} records in ${blocks} blocks, ${first} to ${last}, of socket ${harmless(socket ?? "")}.`,
    `Signed at ${when} by ${whose}.`,
  ].join("\n");
}

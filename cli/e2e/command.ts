import { generateEndToEndIdentity, importEndToEndIdentity } from "@portcullis/crypto";
import { fingerprintWords } from "@portcullis/crypto/words";
import { readArguments } from "../arguments.ts";
import { exitCodes, Sorry } from "../exit.ts";
import { textIn } from "../owner/commands/files.ts";

const help = `portcullis e2e generate                    also: npm run portcullis -- e2e generate
portcullis e2e show FILE

generate makes the identity of a program to which members of a socket seal what the server must not read. Give the identity to the program and to nobody else, and the
fingerprint to those who write the members' client. show says the fingerprint of an identity in a file; - is standard input. Nobody is asked.

  --json                 for programs

Exit code: 0 done, 2 wrong arguments or no such file.
`;

const flag = { type: "boolean", default: false } as const;
const options = { json: flag, help: flag } as const;

export async function e2eCommand(args: readonly string[]): Promise<number> {
  const { values, words } = readArguments("portcullis e2e", args, options);
  const [name, file, ...more] = words;
  if (values.help || name === undefined) {
    process.stdout.write(help);
    return values.help ? exitCodes.ok : exitCodes.usage;
  }
  const generates = name === "generate" && file === undefined;
  const shows = name === "show" && file !== undefined && more.length === 0;
  if (!generates && !shows)
    throw new Sorry(exitCodes.usage, "it is: portcullis e2e generate, or portcullis e2e show FILE");
  const identity = file === undefined ? generateEndToEndIdentity() : (await textIn(file)).trim();
  const known = await importEndToEndIdentity(identity).catch(() => {
    throw new Sorry(exitCodes.usage, "that is no identity");
  });
  const { fingerprint } = known;
  const shown = { ...(generates ? { identity } : {}), fingerprint, words: fingerprintWords(fingerprint) };
  const lines = Object.entries(shown).map(([what, value]) => `${what.padEnd(12)} ${value}\n`);
  const warning = generates ? "\nThe identity is shown this once: whoever has it opens what is sealed to it.\n" : "";
  process.stdout.write(values.json ? `${JSON.stringify(shown)}\n` : `${lines.join("")}${warning}`);
  return exitCodes.ok;
}

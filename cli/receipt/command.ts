import { type ReceiptProblem, verifyReceipt } from "@portcullis/client";
import { readArguments } from "../arguments.ts";
import { exitCodes, Sorry } from "../exit.ts";
import { harmless, harmlessJson } from "../harmless.ts";
import { textIn } from "../owner/commands/files.ts";

const help = `portcullis receipt verify FILE --pin FINGERPRINT          also: npm run portcullis -- receipt verify FILE --pin FINGERPRINT

Checks a receipt that portcullis connect --receipt FILE has written: that this server has let somebody in, when, as whom, and by which policy. Nobody is asked; - is standard
input.

  --pin FINGERPRINT      the server; the last part of an app key, or what portcullis owner server says
  --json                 for programs

Exit code: 0 it is good, 1 it is not, 2 wrong arguments or no such file.
`;

const problems: Readonly<Record<ReceiptProblem, string>> = {
  "not-a-receipt": "it is no receipt",
  "another-server": "another server has signed it",
  signature: "its signature is wrong: something in it was changed",
};

const flag = { type: "boolean", default: false } as const;
const options = { pin: { type: "string" }, json: flag, help: flag } as const;

export async function receiptCommand(args: readonly string[]): Promise<number> {
  const { values, words } = readArguments("portcullis receipt", args, options);
  const [name, file, ...more] = words;
  if (values.help || name === undefined) {
    process.stdout.write(help);
    return values.help ? exitCodes.ok : exitCodes.usage;
  }
  const { pin } = values;
  if (name !== "verify" || file === undefined || pin === undefined || more.length > 0)
    throw new Sorry(exitCodes.usage, "it is: portcullis receipt verify FILE --pin FINGERPRINT");
  const { receipt, problem } = await verifyReceipt(jsonOf(await textIn(file)), pin);
  if (problem !== null) {
    process.stdout.write(`${values.json ? harmlessJson({ ok: false, problem }) : `Not good: ${problems[problem]}.`}\n`);
    return exitCodes.refused;
  }
  const { sid, member, atMs, policyHash } = receipt;
  const at = new Date(atMs).toISOString();
  const show = `Good: at ${at} it let in ${harmless(member ?? "somebody")}, in session ${harmless(sid)}, by policy ${policyHash}.`;
  process.stdout.write(`${values.json ? harmlessJson({ ok: true, sid, member, at, policyHash }) : show}\n`);
  return exitCodes.ok;
}

/** What is no JSON is no receipt either. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

import { auditCommand } from "./audit/command.ts";
import { connectCommand } from "./connect/command.ts";
import { e2eCommand } from "./e2e/command.ts";
import { exitCodes, Sorry } from "./exit.ts";
import { ownerCommand } from "./owner/command.ts";
import { policyCommand } from "./policy/command.ts";
import { receiptCommand } from "./receipt/command.ts";

const help = `portcullis <command> [options]

  connect   pass the gates of a socket and chat on it
  owner     sockets, their keys, members and sessions, through the API
  policy    checks and plays a policy in a file; asks nobody
  audit     checks an export of what was recorded of a socket; asks nobody
  receipt   checks a receipt of somebody who was let in; asks nobody
  e2e       makes an identity to which members seal beyond the server; asks nobody

Each command has --help.

Exit code: 0 done, 1 not let in or refused, 2 wrong arguments or nothing to do it with, 3 nothing answers.
`;

const commands: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  connect: connectCommand,
  owner: ownerCommand,
  policy: policyCommand,
  audit: auditCommand,
  receipt: receiptCommand,
  e2e: e2eCommand,
};

async function main([name = "--help", ...args]: readonly string[]): Promise<number> {
  if (name === "--help" || name === "help") {
    process.stdout.write(help);
    return exitCodes.ok;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined)
    throw new Sorry(exitCodes.usage, `there is no command of that name: see portcullis --help`);
  return command(args);
}

const args = process.argv.slice(2);
try {
  process.exitCode = await main(args);
} catch (error) {
  if (!(error instanceof Sorry)) throw error;
  const [name = "portcullis"] = args;
  process.stderr.write(`${Object.hasOwn(commands, name) ? name : "portcullis"}: ${error.message}\n`);
  process.exitCode = error.exitCode;
}

import {
  explore,
  type PlayFacts,
  playFactsSchema,
  type Script,
  scriptSchema,
  simulate,
  validatePolicy,
} from "@portcullis/policy";
import type { z } from "zod";
import { readArguments } from "../arguments.ts";
import { exitCodes, Sorry } from "../exit.ts";
import { harmlessJson } from "../harmless.ts";
import { readDocument } from "./document.ts";
import { checked, explored, played } from "./show.ts";

const help = `portcullis policy COMMAND FILE [options]          also: npm run portcullis -- policy COMMAND FILE [options]

  check FILE             what is wrong with the policy in FILE, and what is weaker in it than it may look
  play FILE              what a client is asked, hears and gets; then every way through, and who gets in with what

FILE holds a policy as JSON; - is standard input. Nothing is asked of a server, and nobody is sent anything.

  --strict               check: warnings count as issues
  --script FILE          play: what the client does, a list of steps; unless set, it takes the first way and is always right
                         {"answer": "otp", "right": false}, {"wait": "sms", "then": "confirmed"}, {"offer": [{"gate": "otp"}]},
                         {"pass": "30s"}, {"leave": true}, {"revoke": true}
  --as NAME              play: the member who is named; --as "" for nobody
  --enrolled GATES       play: what that member has, like otp,email; unless set, all that the policy asks for
  --address ADDRESS      play: where the client comes from
  --at TIME              play: when, like 2027-01-31T12:00:00Z; unless set, now
  --risk RISK            play: low, raised or high
  --no-key               play: without an app key
  --json                 for programs

Exit code: 0 the policy is good, 1 it is not, 2 wrong arguments or no such file.
`;

const flag = { type: "boolean", default: false } as const;
const text = { type: "string" } as const;
const options = {
  strict: flag,
  json: flag,
  help: flag,
  "no-key": flag,
  script: text,
  as: text,
  enrolled: text,
  address: text,
  at: text,
  risk: text,
};

export async function policyCommand(args: readonly string[]): Promise<number> {
  const { values, words } = readPolicyArguments(args);
  const [name, file, ...more] = words;
  if (values.help || name === undefined) {
    process.stdout.write(help);
    return values.help ? exitCodes.ok : exitCodes.usage;
  }
  if (name !== "check" && name !== "play")
    throw new Sorry(exitCodes.usage, "there is no command of that name: see portcullis policy --help");
  if (file === undefined || more.length > 0) throw new Sorry(exitCodes.usage, `it is: portcullis policy ${name} FILE`);
  const say = (answer: object, show: string) =>
    void process.stdout.write(`${values.json ? harmlessJson(answer) : show}\n`);

  const verdict = validatePolicy(await readDocument(file));
  const { ok, issues, advice } = verdict;
  if (name === "check" || !verdict.ok) {
    say({ ok, issues, advice }, checked(verdict));
    const isWeak = values.strict && advice.some(({ severity }) => severity !== "info");
    return ok && !isWeak ? exitCodes.ok : exitCodes.refused;
  }
  const script = values.script === undefined ? null : await readScript(values.script);
  const simulation = simulate(verdict.policy, script, factsOf(values), Date.now());
  const exploration = explore(verdict.policy);
  say({ simulation, exploration }, `${played(simulation)}\n\n${explored(exploration)}`);
  return exitCodes.ok;
}

type Values = ReturnType<typeof readPolicyArguments>["values"];

const readPolicyArguments = (args: readonly string[]) => readArguments("portcullis policy", args, options);

async function readScript(file: string): Promise<Script> {
  return written(file, scriptSchema, await readDocument(file));
}

function factsOf({ as, enrolled, address, at, risk, "no-key": keyless }: Values): PlayFacts {
  const name = as ?? (enrolled === undefined ? undefined : "somebody");
  const has = enrolled === undefined ? {} : { enrolled: enrolled.split(",").filter((gate) => gate !== "") };
  return written("options", playFactsSchema, {
    key: !keyless,
    ...(name === undefined ? {} : { member: name === "" ? null : { name, ...has } }),
    ...(address === undefined ? {} : { address }),
    ...(at === undefined ? {} : { at }),
    ...(risk === undefined ? {} : { risk }),
  });
}

/** @throws {Sorry} with the first field that is wrong */
function written<Schema extends z.ZodType>(what: string, schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Sorry(exitCodes.usage, `${what}: ${issue?.path.map(String).join(".")}: ${issue?.message}`);
}

import { type ParseArgsConfig, parseArgs } from "node:util";
import { exitCodes, Sorry } from "./exit.ts";
import { wordsLast } from "./words-last.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

/**
 * What was typed behind the name of a command. Its values and words may begin with a dash, as one fingerprint in 64 does.
 *
 * @param command as it is typed, `portcullis audit`
 * @throws {Sorry} an option that the command has not, or a value that is missing
 */
export function readArguments<const T extends Options>(command: string, args: readonly string[], options: T) {
  const valued = Object.keys(options).filter((name) => options[name]?.type === "string");
  try {
    const { values, positionals } = parseArgs({ args: wordsLast(args, valued), options, allowPositionals: true });
    return { values, words: positionals };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Sorry(exitCodes.usage, `${why}\nSee ${command} --help`);
  }
}

/**
 * The same arguments with the options in front, so that a word may begin with a dash, as one id in 64 does, and an option's value, as steps of a
 * rule do. There are no options of one letter.
 *
 * @param valued names of the options that take a value
 */
export function wordsLast(args: readonly string[], valued: readonly string[]): string[] {
  const options: string[] = [];
  const words: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? "";
    if (arg === "--") return [...options, "--", ...words, ...args.slice(index + 1)];
    const value = args[index + 1];
    if (!arg.startsWith("--")) words.push(arg);
    else if (!valued.includes(arg.slice(2)) || value === undefined || value.startsWith("--")) options.push(arg);
    else {
      options.push(`${arg}=${value}`);
      index += 1;
    }
  }
  return [...options, "--", ...words];
}

/**
 * Programs here take settings from the environment, and no argument but `--help`. One that is meant as a setting must not be
 * passed over: `npm start -- --port 9000` would run on 8080.
 *
 * @returns whether that was all: help is printed, or what is wrong, with exit code 2
 */
export function isAnswered(name: string, help: string): boolean {
  const [first] = process.argv.slice(2);
  if (first === undefined) return false;
  if (process.argv.includes("--help")) process.stdout.write(help);
  else {
    process.stderr.write(`${name}: takes no ${first}: settings come from the environment, see --help\n`);
    process.exitCode = 2;
  }
  return true;
}

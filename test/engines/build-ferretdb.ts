import { buildFerretDb } from "./ferretdb.ts";

/** Prints the path of the FerretDB program, built when it is not there yet. */
const program = await buildFerretDb(process.env, (line) => process.stderr.write(`${line}\n`));
if (program === null) {
  process.stderr.write("FerretDB cannot be built: Go is not installed\n");
  process.exitCode = 1;
} else {
  process.stdout.write(`${program}\n`);
}

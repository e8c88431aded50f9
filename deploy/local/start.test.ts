import { afterAll, expect, test } from "vitest";
import { run, stopPrograms } from "../demo/test/program.ts";

afterAll(stopPrograms);

test.each(["deploy/local/start.ts", "deploy/local/start-distributed.ts", "services/edge/src/main.ts"])(
  "%s passes over no argument that was meant as a setting",
  async (script) => {
    const program = run(script, ["--port", "9000"]);
    expect([await program.exit, program.stdout]).toEqual([2, ""]);
    expect(program.stderr).toMatch(/^\w+: takes no --port: settings come from the environment, see --help\n$/);
  },
);

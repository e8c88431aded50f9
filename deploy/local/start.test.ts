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

test("npm start does not pass over a key service that was asked for: it has none but its file", async () => {
  const program = run("deploy/local/start.ts", [], { KMS: "vault-transit", DATA_DIR: "/nowhere/portcullis" });
  expect([await program.exit, program.stdout]).toEqual([1, ""]);
  expect(program.stderr).toMatch(/^portcullis: KMS: npm start has its data keys wrapped by master\.key alone/);
});

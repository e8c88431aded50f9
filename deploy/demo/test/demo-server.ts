import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Demo, readDemo } from "../../local/first-run.ts";
import { freePort } from "../../local/free-port.ts";
import { type Program, run, stopPrograms } from "./program.ts";

/** The embedded form with its demo, as `npm start` has it, in a folder of its own. */
export interface DemoServer {
  readonly program: Program;
  /** `DATA_DIR` */
  readonly folder: string;
  /** Of the API. */
  readonly url: string;
  readonly demo: Demo;
  /** Ends whatever programs there are, and removes the folder. */
  stop(): Promise<void>;
}

export async function startDemoServer(): Promise<DemoServer> {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-demo-"));
  const program = run("deploy/local/start.ts", [], { DATA_DIR: folder, PORT: `${await freePort()}`, DEMO: "true" });
  const [, url = ""] = await program.until(/Portcullis is ready: (http\S+)/);
  const demo = await readDemo(folder);
  if (demo === null) throw new Error("no demo was made");
  return {
    program,
    folder,
    url,
    demo,
    async stop() {
      await stopPrograms();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

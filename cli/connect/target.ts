import { type Authenticator, scan } from "../../deploy/demo/authenticator.ts";
import { type Demo, readDemo } from "../../deploy/local/first-run.ts";
import { exitCodes, Sorry } from "../exit.ts";

export interface Target {
  readonly url: string;
  readonly appKey: string;
  /** Null where only the person's phone knows the codes. */
  readonly authenticator: Authenticator | null;
}

/** @throws {Sorry} there is nothing to connect to */
export async function findTarget(given: {
  readonly url: string | undefined;
  readonly appKey: string | undefined;
}): Promise<Target> {
  const { url, appKey } = given;
  if (url !== undefined && appKey !== undefined) return { url, appKey, authenticator: null };
  if (url !== undefined || appKey !== undefined) {
    throw new Sorry(exitCodes.usage, "a URL and an app key belong together: give both, or neither for the demo socket");
  }
  const named = process.env.DATA_DIR;
  for (const folder of named ? [named] : ["./data", "./data/distributed"]) {
    const demo: Demo | null = await readDemo(folder);
    if (demo !== null) return { ...demo.socket, authenticator: scan(demo.member.otpauth) };
  }
  const where = named ? ` in ${named}` : "";
  throw new Sorry(exitCodes.usage, `there is no demo socket yet${where}: run npm start first, and leave it running`);
}

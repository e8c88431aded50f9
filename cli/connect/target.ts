import { type Authenticator, scan } from "../../deploy/demo/authenticator.ts";
import { type Demo, readDemo } from "../../deploy/local/first-run.ts";
import { exitCodes, Sorry } from "../exit.ts";

export interface Target {
  readonly url: string;
  /** Null where a ticket and a pin stand in for it. */
  readonly appKey: string | null;
  /** Null where only the person's phone knows the codes. */
  readonly authenticator: Authenticator | null;
}

/** @throws {Sorry} there is nothing to connect to */
export async function findTarget(given: {
  readonly url: string | undefined;
  readonly appKey: string | undefined;
  /** There is a ticket, and by what the server is known. */
  readonly byTicket: boolean;
}): Promise<Target> {
  const { url, appKey, byTicket } = given;
  if (url !== undefined && (appKey !== undefined || byTicket))
    return { url, appKey: appKey ?? null, authenticator: null };
  if (url !== undefined || appKey !== undefined) {
    throw new Sorry(
      exitCodes.usage,
      "a URL and an app key belong together (or a ticket and --pin): give both, or neither for the demo socket",
    );
  }
  const named = process.env.DATA_DIR;
  for (const folder of named ? [named] : ["./data", "./data/distributed"]) {
    const demo: Demo | null = await readDemo(folder);
    if (demo !== null) return { ...demo.socket, authenticator: scan(demo.member.otpauth) };
  }
  const where = named ? ` in ${named}` : "";
  throw new Sorry(exitCodes.usage, `there is no demo socket yet${where}: run npm start first, and leave it running`);
}

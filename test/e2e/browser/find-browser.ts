import { findProgram } from "../../engines/binaries.ts";

const programs = ["chromium", "google-chrome", "chromium-browser"];

/** Path of a Chromium or Chrome: CHROMIUM_PATH, else one of this machine's; null where there is none. */
export function findBrowser(env: NodeJS.ProcessEnv): string | null {
  return env.CHROMIUM_PATH ?? programs.flatMap((name) => findProgram(name, env) ?? []).at(0) ?? null;
}

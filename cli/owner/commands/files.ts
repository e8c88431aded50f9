import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { exitCodes, Sorry } from "../../exit.ts";
import type { Json } from "../api.ts";

/** @param file `-`: standard input @throws {Sorry} it cannot be read */
export async function textIn(file: string): Promise<string> {
  try {
    return file === "-" ? await readAll(process.stdin) : await readFile(file, "utf8");
  } catch {
    throw new Sorry(exitCodes.usage, `${file} cannot be read`);
  }
}

/** @returns null: none was named @throws {Sorry} it cannot be read, or is no JSON */
export async function policyIn(file: string | undefined): Promise<Json | null> {
  if (file === undefined) return null;
  const text = await textIn(file);
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new Sorry(exitCodes.usage, `${file === "-" ? "what came in" : file} is not JSON`);
  }
}

import { open } from "node:fs/promises";
import { exitCodes, Sorry } from "../exit.ts";

/** As much as the API takes. */
const bytesMax = 64 * 1024;

/** @param file `-`: standard input @throws {Sorry} it is not there, too large, or no JSON */
export async function readDocument(file: string): Promise<unknown> {
  const text = await (file === "-" ? readAll(process.stdin) : readFile(file));
  try {
    return JSON.parse(text);
  } catch {
    throw new Sorry(exitCodes.usage, `${file} is no JSON`);
  }
}

async function readFile(file: string): Promise<string> {
  try {
    const handle = await open(file);
    try {
      return await readAll(handle.createReadStream({ autoClose: false }));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Sorry) throw error;
    throw new Sorry(exitCodes.usage, `${file} cannot be read`);
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stream) {
    const buffer = Buffer.from(part);
    bytes += buffer.length;
    if (bytes > bytesMax) throw new Sorry(exitCodes.usage, `a document has at most ${bytesMax} bytes`);
    parts.push(buffer);
  }
  return Buffer.concat(parts).toString("utf8");
}

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Flow, takeApart } from "./web-socket-frames.ts";

/** What a recorder wrote of one direction of one connection. */
export interface RecordedFlow extends Flow {
  readonly connection: number;
  readonly direction: "up" | "down";
  readonly raw: Buffer;
}

export async function readRecording(folder: string): Promise<RecordedFlow[]> {
  const names = (await readdir(folder))
    .map((name) => /^(\d+)\.(up|down)$/.exec(name))
    .filter((match) => match !== null);
  return Promise.all(
    names.map(async ([name, connection, direction]) => {
      const raw = await readFile(join(folder, name));
      return {
        connection: Number(connection),
        direction: direction === "up" ? "up" : "down",
        raw,
        ...takeApart(raw),
      } as const;
    }),
  );
}

/** Each as the network saw it, and as who can read WebSockets sees it: a client's frames are masked on the network. */
export function texturesOf(flow: RecordedFlow): Buffer[] {
  return [flow.raw, ...flow.messages, ...flow.control];
}

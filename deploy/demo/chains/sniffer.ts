import type { ChildProcess } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Canary, searchFor } from "../canaries.ts";
import type { Children } from "../children.ts";
import { readRecording } from "../recording.ts";
import type { Stage } from "../stage.ts";

/** Somebody between clients and edge who writes down every byte. */
export interface Sniffer {
  /** The same address, by way of the sniffer. */
  through(url: string): string;
  /** @returns names of those that it has seen, raw, unmasked, as hex or as base64 */
  seen(canaries: readonly Canary[]): Promise<ReadonlySet<string>>;
  /** Some bytes of the last connection that went up, as a sniffer would print them. */
  glimpse(): Promise<string>;
  stop(): Promise<void>;
}

const glimpseBytes = 24;

export async function startSniffer(stage: Stage, children: Children, folder: string): Promise<Sniffer> {
  const recordings = join(folder, "recording");
  await mkdir(recordings, { mode: 0o700 });
  const recorder = children.fork("recorder.ts", [`${stage.port}`, recordings, ...(stage.tls ? ["tls"] : [])]);
  const port = await portOf(recorder);
  return {
    through(url) {
      const { pathname, search } = new URL(url);
      return `ws://127.0.0.1:${port}${pathname}${search}`;
    },
    async seen(canaries) {
      const found = searchFor(canaries, await readRecording(recordings));
      return new Set(found.map(({ canary }) => canary));
    },
    async glimpse() {
      const up = (await readRecording(recordings)).filter(({ direction }) => direction === "up");
      const last = up
        .toSorted((a, b) => a.connection - b.connection)
        .at(-1)
        ?.messages.at(-1);
      return Buffer.from(last ?? "")
        .subarray(-glimpseBytes)
        .toString("base64url");
    },
    async stop() {
      if (recorder.exitCode !== null || recorder.signalCode !== null) throw new Error("the recorder did not hold out");
      const gone = new Promise((resolve) => recorder.once("exit", resolve));
      recorder.disconnect();
      await gone;
    },
  };
}

function portOf(recorder: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    recorder.once("message", (message) => resolve((message as { readonly port: number }).port));
    recorder.once("exit", () => reject(new Error("the recorder ended before it listened")));
  });
}

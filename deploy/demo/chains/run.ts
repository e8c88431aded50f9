import type { Children } from "../children.ts";
import type { Narrator } from "../narrator.ts";
import type { Mode, Stage } from "../stage.ts";
import type { Findings } from "./chain.ts";
import { type ChainName, chains } from "./registry.ts";
import { startSniffer } from "./sniffer.ts";

/** Plays one chain, with somebody between clients and edge. */
export async function playChain(
  name: ChainName,
  parts: {
    readonly mode: Mode;
    readonly folder: string;
    readonly stage: Stage;
    readonly children: Children;
    readonly narrator: Narrator;
    readonly findings: Findings;
  },
): Promise<void> {
  const { mode, folder, stage, children, narrator, findings } = parts;
  const sniffer = await startSniffer(stage, children, folder);
  await chains[name].play({ mode, stage, sniffer, narrator, findings });
  await sniffer.stop();
}

import { all } from "./all.ts";
import type { Gate } from "./gate.ts";

/** Every gate that this service judges. */
export const gates: ReadonlyMap<string, Gate> = new Map(Object.values<Gate>(all).map((gate) => [gate.name, gate]));

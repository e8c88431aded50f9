import { z } from "zod";
import { all } from "./all.ts";
import type { Dialogue, Gate } from "./gate.ts";

/** Every gate there is. */
export const gates = all;

export type GateName = keyof typeof gates;
/** As they may stand in a policy: what comes first is named first. */
const places: readonly Gate["place"][] = ["first", "opening", "anywhere"];
export const gateNames = (Object.keys(gates) as GateName[]).toSorted(
  (a, b) => places.indexOf(gates[a].place) - places.indexOf(gates[b].place),
) as readonly GateName[];

/** One gate of a policy, every field present. */
export type GateItem = { [Name in GateName]: z.output<(typeof gates)[Name]["stored"]> }[GateName];

export function gateOf(item: GateItem): Gate {
  return gates[item.gate];
}

export function dialogueOf(item: GateItem): Dialogue {
  const { dialogue } = gateOf(item);
  return typeof dialogue === "function" ? dialogue(item) : dialogue;
}

/** A gate of a policy and what it is told about itself. */
interface Told {
  readonly gate: GateName;
  readonly config: GateConfig;
}

/** Whether the handshake is parked at this gate. */
export function waitsAt(told: Told): boolean {
  return dialogueTold(told) === "waits";
}

/** Whether the part that judges its answer has to make the question. */
export function isPrepared(told: Told): boolean {
  return dialogueTold(told) === "prepared";
}

/** Gates at which a member's failures are counted: those that have to be answered, by whoever is there or by others for them. */
export const countedGates: readonly GateName[] = gateNames.filter((name) => {
  const gate: Gate = gates[name];
  return gate.countsForNobody !== true && gate.decided({ keyId: null, ticket: false }) === null;
});

function dialogueTold({ gate, config }: Told): Dialogue {
  const { dialogue }: Gate = gates[gate];
  return typeof dialogue === "function" ? dialogue({ gate, ...config }) : dialogue;
}

/** What somebody has to hold to pass this gate; null: nothing. */
export function restsOn(item: GateItem): string | null {
  const gate = gateOf(item);
  if (gate.restsOn !== undefined) return gate.restsOn(item);
  const need = gate.needs(item);
  if (need !== null) return `${need.of}-${need.gate}`;
  return dialogueOf(item) === "prepared" ? null : item.gate;
}

/** Whether a decoy can have it: what the opening decides is decided there as anywhere. */
export function isPlayable(item: GateItem): boolean {
  const gate = gateOf(item);
  return gate.decided({ keyId: null, ticket: false }) !== null || gate.playable?.(item) === true;
}

/** Whether somebody in between gains nothing from what is answered here. */
export function isBoundToConnection(item: GateItem): boolean {
  const { boundToConnection = false } = gateOf(item);
  return typeof boundToConnection === "function" ? boundToConnection(item) : boundToConnection;
}

/** Of how many values a right answer is one; null where there is nothing to guess. */
export function among(item: GateItem): number | null {
  return gateOf(item).among?.(item) ?? null;
}

/** What a challenge says about one of its gates; null: nothing. */
export function promptOf(gate: GateName, config: GateConfig, cid: string): Readonly<Record<string, unknown>> | null {
  return (gates[gate] as Gate).prompt({ gate, ...config }, cid);
}

/** The item without its name: what a gate is told about itself. */
export type GateConfig = Readonly<Record<string, unknown>>;

export function configOf(item: GateItem): GateConfig {
  const { gate: _, ...config } = item;
  return config;
}

function union<Item extends z.core.$ZodTypeDiscriminable>(items: readonly Item[]) {
  const [first, ...rest] = items;
  if (first === undefined) throw new TypeError("no gates");
  return z.discriminatedUnion("gate", [first, ...rest], { error: () => `allowed: ${gateNames.join(", ")}` });
}

export const gateDocument = union(Object.values(gates).map((gate) => gate.document));
export const gateStored = union(Object.values(gates).map((gate) => gate.stored));

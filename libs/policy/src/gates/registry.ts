import { z } from "zod";
import { approval } from "./approval.ts";
import { email } from "./email.ts";
import type { Gate } from "./gate.ts";
import { key } from "./key.ts";
import { otp } from "./otp.ts";
import { passkey } from "./passkey.ts";
import { path } from "./path.ts";
import { question } from "./question.ts";
import { sms } from "./sms.ts";
import { ticket } from "./ticket.ts";

/** Every gate there is. A new one is its file and its name here. */
export const gates = {
  path,
  key,
  ticket,
  otp,
  email,
  sms,
  question,
  passkey,
  approval,
} satisfies Record<string, Gate>;

export type GateName = keyof typeof gates;
export const gateNames = Object.keys(gates) as readonly GateName[];

/** One gate of a policy, every field present. */
export type GateItem = { [Name in GateName]: z.output<(typeof gates)[Name]["stored"]> }[GateName];

export function gateOf(item: GateItem): Gate {
  return gates[item.gate];
}

/** Whether the handshake is parked at this gate. */
export function waitsAt(name: GateName): boolean {
  const { dialogue }: Gate = gates[name];
  return dialogue === "waits";
}

/** Whether the part that judges its answer has to make the question. */
export function isPrepared(name: GateName): boolean {
  return (gates[name] as Gate).dialogue === "prepared";
}

/** What somebody has to hold to pass this gate; null: nothing. */
export function restsOn(item: GateItem): string | null {
  const gate = gateOf(item);
  if (gate.restsOn !== undefined) return gate.restsOn(item);
  const need = gate.needs(item);
  return need === null ? item.gate : `${need.of}-${need.gate}`;
}

/** Whether somebody in between gains nothing from what is answered here. */
export function isBoundToConnection(item: GateItem): boolean {
  return gateOf(item).boundToConnection === true;
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

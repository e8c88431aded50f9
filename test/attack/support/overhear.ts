import { createServiceSeal, type SealContext, type ServiceSeal } from "@portcullis/bus";
import type { Observed } from "@portcullis/bus/memory";
import { type ServiceName, services } from "@portcullis/contracts";
import type { BusWorld } from "./bus-world.ts";

interface Question {
  readonly from: ServiceName;
  readonly id: string;
}

/**
 * Opens what crosses the bus with the seal keys of all services.
 *
 * @returns all that a service has said or heard since: what whoever runs its code, or has its `SEAL_KEY` and recorded the bus, can read there
 */
export function overhear(world: BusWorld): (service: ServiceName) => Uint8Array {
  const { directory } = world;
  const sealOf = (self: ServiceName) => createServiceSeal({ self, privateKey: world.privateKeyOf(self), directory });
  const seals = services.map(sealOf);
  const heard = new Map<ServiceName, Uint8Array[]>(services.map((service) => [service, []]));
  const questions = new Map<string, Question[]>();

  function open(by: ServiceSeal, from: ServiceName, context: SealContext, data: Uint8Array): boolean {
    try {
      const body = by.open(from, context, data);
      for (const service of new Set([from, by.self])) heard.get(service)?.push(body);
      return true;
    } catch {
      return false;
    }
  }

  world.network.tap(({ kind, subject, message: { headers, data } }: Observed) => {
    const from = services.find((service) => service === headers["portcullis-from"]);
    if (from === undefined) throw new Error(`nobody says that they sent something to ${subject}`);
    if (kind === "reply") {
      const directions = ["rep", "err"] as const;
      const asked = questions.get(subject) ?? [];
      const opened = asked.some(({ from: asker, id }) =>
        directions.some((direction) => open(sealOf(asker), from, { subject, direction, id }, data)),
      );
      if (!opened) throw new Error(`an answer of ${from} to ${subject} stayed sealed`);
      return;
    }
    const id = headers["portcullis-id"] ?? "";
    if (kind === "request") questions.set(subject, [...(questions.get(subject) ?? []), { from, id }]);
    const direction = kind === "request" ? "req" : "evt";
    if (!seals.some((seal) => open(seal, from, { subject, direction, id }, data)))
      throw new Error(`something of ${from} to ${subject} stayed sealed`);
  });
  return (service) => Buffer.concat((heard.get(service) ?? []).flatMap((body) => [body, Uint8Array.of(0)]));
}

import type { EventContract, ServiceName } from "@portcullis/contracts";

/** The name of a service in operators' tools, and of the queue that its replicas share. */
export function busNameOf(service: ServiceName): string {
  return `portcullis-${service}`;
}

/** Operators' tools allow no dots in the name of an endpoint. */
export function endpointNameOf(contract: { readonly name: string }): string {
  return contract.name.replaceAll(".", "-").toLowerCase();
}

/** The inboxes where a service receives its answers; permissions let nobody else subscribe there. */
export function inboxPrefixOf(service: ServiceName): string {
  return `_INBOX_${service}`;
}

/**
 * An event is sealed once, for the one service that may open it.
 *
 * @throws {TypeError} the contract names no subscriber, or several
 */
export function recipientOf(contract: Pick<EventContract<never>, "name" | "subscribers">): ServiceName {
  const [only, ...more] = contract.subscribers;
  if (only === undefined || more.length > 0)
    throw new TypeError(`${contract.name} needs exactly one subscriber service`);
  return only;
}

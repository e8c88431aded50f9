/**
 * Bus: how services speak to each other.
 *
 * Promise, the same for every adapter and proven by one conformance suite:
 * - `request` reaches exactly one of the replicas that serve the subject and resolves with its answer, or rejects: there
 *   is no silent loss. It may have been carried out although it rejected (timeout), so every request is idempotent;
 * - `publish` is at most once to every subscriber that is connected now; messages of one publisher on one subject arrive in
 *   the order they were published;
 * - of the subscribers that name the same `queue`, one gets each message;
 * - payloads are bytes and stay bytes; headers are short ASCII strings, names are lower-case;
 * - after a lost connection the adapter reconnects by itself and keeps subscriptions; while it is gone, requests reject
 *   with `unavailable` within their timeout, and publishes are refused (never queued into a later state of the world).
 */
export interface Message {
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Delivered extends Message {
  /** The subject it was sent to (a subscription may hold wildcards). */
  readonly subject: string;
}

export interface Subscription {
  /** Takes no more messages and resolves when the handlers that run are done. */
  close(): Promise<void>;
}

export interface SubscribeOptions {
  /** Members of the same queue share the messages. */
  readonly queue?: string;
}

export interface Endpoint {
  /** `[a-z0-9-]+`, shown by operators' tools. */
  readonly name: string;
  readonly subject: string;
  /** Replicas that name the same queue share the requests. */
  readonly queue: string;
  readonly handler: (request: Delivered) => Promise<Message>;
}

/** A service as operators' tools list it, with its endpoints. */
export interface ServiceDescription {
  readonly name: string;
  /** SemVer. */
  readonly version: string;
  readonly description: string;
}

export interface ServiceRegistration {
  add(endpoint: Endpoint): Promise<Subscription>;
  close(): Promise<void>;
}

export type BusStatus = "connected" | "disconnected" | "closed";

export interface Bus {
  /** @throws {BusUnavailableError} nobody serves it, the bus is gone, or `timeoutMs` passed. */
  request(subject: string, message: Message, options: { readonly timeoutMs: number }): Promise<Message>;
  /** @throws {BusUnavailableError} while the bus is gone. */
  publish(subject: string, message: Message): void;
  /** Wildcards: `*` for one token, `>` for the rest. A handler that throws is reported through `onError` and disturbs nobody. */
  subscribe(
    subject: string,
    handler: (message: Delivered) => void | Promise<void>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  register(description: ServiceDescription): Promise<ServiceRegistration>;
  status(): BusStatus;
  /** Called with each change of the status. @returns a function that stops it. */
  onStatus(listener: (status: BusStatus) => void): () => void;
  /** Resolves when a round trip to the bus succeeded; used by `/readyz`. */
  ping(): Promise<void>;
  /** Drains: takes no more, lets handlers finish, flushes, closes. */
  close(): Promise<void>;
}

export type BusUnavailableReason = "no-responders" | "timeout" | "disconnected" | "closed" | "refused";

export class BusUnavailableError extends Error {
  override readonly name = "BusUnavailableError";
  readonly reason: BusUnavailableReason;
  constructor(subject: string, reason: BusUnavailableReason, options?: ErrorOptions) {
    super(`${subject}: ${reason}`, options);
    this.reason = reason;
  }
}

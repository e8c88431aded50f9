import type { z } from "zod";

/** Every process that has credentials on the bus. */
export const services = ["edge", "api", "identity", "factors", "notify", "keys"] as const;
export type ServiceName = (typeof services)[number];

/**
 * A question with one answer. Delivery: exactly one replica of `server` handles each attempt; the caller may repeat it, and
 * whoever handles it must give the same answer to the same idempotency key.
 */
export interface RequestContract<Request, Reply> {
  readonly kind: "request";
  /** `server.thing.verb`; subject is `portcullis.v1.` + name, or + name + `.` + route where `routed`. */
  readonly name: string;
  readonly server: ServiceName;
  readonly callers: readonly ServiceName[];
  readonly request: z.ZodType<Request>;
  readonly reply: z.ZodType<Reply>;
  readonly timeoutMs: number;
  /** One replica only is meant, named by a route token (`[A-Za-z0-9_-]{1,64}`). */
  readonly routed: boolean;
  /** What makes a repeated request the same request, and what then happens. */
  readonly idempotency: string;
  /**
   * The very same message once more, recorded on the bus and sent again by whoever can publish there. `refused`: all replicas
   * of the server together carry it out once, at the price of one write to the state port. `harmless`: it changes
   * nothing that the first one has not changed, and its answer opens for nobody but who asked first.
   */
  readonly replay: "refused" | "harmless";
}

/** A statement to whoever listens now; at most once. Whoever depends on it must also have a way to notice that it was lost. */
export interface EventContract<Event> {
  readonly kind: "event";
  readonly name: string;
  readonly publishers: readonly ServiceName[];
  readonly subscribers: readonly ServiceName[];
  /** One replica of each subscriber gets it (true), or all do. */
  readonly shared: boolean;
  readonly event: z.ZodType<Event>;
  readonly routed: boolean;
  /** What is ordered, and how a loss is noticed. */
  readonly delivery: string;
}

export type Contract = RequestContract<unknown, unknown> | EventContract<unknown>;

export const subjectPrefix = "portcullis.v1";

const routeToken = /^[A-Za-z0-9_-]{1,64}$/;

/** The only place where a subject is put together. @throws {TypeError} on a route where none belongs, or an unfit one. */
export function subjectOf(contract: { readonly name: string; readonly routed: boolean }, route?: string): string {
  if (!contract.routed) {
    if (route !== undefined) throw new TypeError(`${contract.name} takes no route`);
    return `${subjectPrefix}.${contract.name}`;
  }
  if (route === undefined || !routeToken.test(route))
    throw new TypeError(`${contract.name} needs a route of [A-Za-z0-9_-]{1,64}`);
  return `${subjectPrefix}.${contract.name}.${route}`;
}

/** For permissions: a routed contract's subjects, all of them. */
export function subjectPatternOf(contract: { readonly name: string; readonly routed: boolean }): string {
  return contract.routed ? `${subjectPrefix}.${contract.name}.*` : `${subjectPrefix}.${contract.name}`;
}

type RequestOptions<Request, Reply> = Omit<
  RequestContract<Request, Reply>,
  "kind" | "routed" | "timeoutMs" | "replay"
> & {
  readonly routed?: boolean;
  /** Default `refused`. */
  readonly replay?: RequestContract<Request, Reply>["replay"];
  /** Default 5000. */
  readonly timeoutMs?: number;
};

export function request<Request, Reply>(options: RequestOptions<Request, Reply>): RequestContract<Request, Reply> {
  return Object.freeze({
    kind: "request" as const,
    routed: false,
    timeoutMs: 5_000,
    replay: "refused" as const,
    ...options,
  });
}

type EventOptions<Event> = Omit<EventContract<Event>, "kind" | "routed"> & { readonly routed?: boolean };

export function event<Event>(options: EventOptions<Event>): EventContract<Event> {
  return Object.freeze({ kind: "event" as const, routed: false, ...options });
}

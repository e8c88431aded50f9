import { errors, type NatsConnection } from "@nats-io/nats-core";
import type { BusStatus, BusUnavailableReason } from "../port.ts";
import { BusUnavailableError } from "../port.ts";
import type { BusErrorListener } from "../tasks.ts";
import { unavailable } from "./failures.ts";

/**
 * The connection and what is known of its state. nats.js would buffer what is sent while the server is gone; the port promises
 * that nothing is queued into a later state of the world, so nothing is handed to it then.
 */
export interface Link {
  readonly connection: NatsConnection;
  status(): BusStatus;
  onStatus(listener: (status: BusStatus) => void): () => void;
  /** @throws {BusUnavailableError} the server is gone, or the bus is closed or closing */
  assertUsable(subject: string, purpose: "send" | "listen"): void;
  /** Rejects `work` as soon as the connection is lost: its answer could not arrive any more. */
  whileConnected<T>(subject: string, work: Promise<T>): Promise<T>;
  /** A round trip: whatever was said before has been heard, and refused if it was to be. */
  confirm(subject: string): Promise<void>;
  /** From now on nobody may listen anew. */
  startClosing(): void;
}

const confirmTimeoutMs = 5_000;

export function createLink(connection: NatsConnection, onError: BusErrorListener): Link {
  const listeners = new Set<(status: BusStatus) => void>();
  const waiting = new Set<(reason: BusUnavailableReason) => void>();
  let current: BusStatus = "connected";
  let closing = false;

  const become = (next: BusStatus) => {
    if (current === next || current === "closed") return;
    current = next;
    if (next !== "connected") for (const fail of [...waiting]) fail(next);
    for (const listener of [...listeners]) listener(next);
  };

  const watch = async () => {
    for await (const event of connection.status()) {
      if (event.type === "disconnect") become("disconnected");
      else if (event.type === "reconnect") become("connected");
      else if (event.type === "error" && event.error instanceof errors.PermissionViolationError) {
        onError(unavailable(event.error.subject, event.error), event.error.subject);
      }
    }
  };
  watch().catch((error: unknown) => onError(error, "status"));
  connection.closed().then(
    () => become("closed"),
    () => become("closed"),
  );

  const whileConnected = <T>(subject: string, work: Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const fail = (reason: BusUnavailableReason) => {
        waiting.delete(fail);
        reject(new BusUnavailableError(subject, reason));
      };
      waiting.add(fail);
      work.then(
        (value) => {
          waiting.delete(fail);
          resolve(value);
        },
        (error: unknown) => {
          waiting.delete(fail);
          reject(unavailable(subject, error));
        },
      );
    });

  return {
    connection,
    status: () => current,
    onStatus(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    assertUsable(subject, purpose) {
      if (current !== "connected") throw new BusUnavailableError(subject, current);
      if (closing && purpose === "listen") throw new BusUnavailableError(subject, "closed");
    },
    whileConnected,
    async confirm(subject) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new BusUnavailableError(subject, "timeout")), confirmTimeoutMs);
      });
      try {
        await whileConnected(subject, Promise.race([connection.flush(), late]));
      } finally {
        clearTimeout(timer);
      }
    },
    startClosing() {
      closing = true;
    },
  };
}

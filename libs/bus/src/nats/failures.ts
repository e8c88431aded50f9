import { errors } from "@nats-io/nats-core";
import { BusUnavailableError, type BusUnavailableReason } from "../port.ts";

function reasonOf(error: unknown): BusUnavailableReason {
  if (error instanceof errors.NoRespondersError) return "no-responders";
  if (error instanceof errors.TimeoutError) return "timeout";
  if (error instanceof errors.ClosedConnectionError || error instanceof errors.DrainingConnectionError) return "closed";
  if (error instanceof errors.PermissionViolationError || error instanceof errors.AuthorizationError) return "refused";
  // What nats.js throws before sending: a payload above the server's own `max_payload`.
  if (error instanceof errors.InvalidArgumentError) return "refused";
  if (error instanceof errors.RequestError) {
    if (error.cause !== undefined) return reasonOf(error.cause);
    if (error.message === "connection closed") return "closed";
  }
  return "disconnected";
}

/** What nats.js throws, in the words of the port. */
export function unavailable(subject: string, error: unknown): BusUnavailableError {
  if (error instanceof BusUnavailableError) return error;
  return new BusUnavailableError(subject, reasonOf(error), { cause: error });
}

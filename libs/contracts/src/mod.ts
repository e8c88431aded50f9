import * as accounts from "./accounts.ts";
import * as alerts from "./alerts.ts";
import * as appKeys from "./app-keys.ts";
import * as approvals from "./approvals.ts";
import * as audit from "./audit.ts";
import * as authenticators from "./authenticators.ts";
import * as consumers from "./consumers.ts";
import type { Contract } from "./contract.ts";
import * as decoys from "./decoys.ts";
import * as directory from "./directory.ts";
import * as handshake from "./handshake.ts";
import * as holds from "./holds.ts";
import * as messages from "./messages.ts";
import * as passkeys from "./passkeys.ts";
import * as people from "./people.ts";
import * as policies from "./policies.ts";
import * as sessions from "./sessions.ts";
import * as signs from "./signs.ts";
import * as sockets from "./sockets.ts";
import * as stepUps from "./step-ups.ts";
import * as tickets from "./tickets.ts";
import * as waits from "./waits.ts";
import * as webhooks from "./webhooks.ts";

export * from "./accounts.ts";
export * from "./alerts.ts";
export * from "./app-keys.ts";
export * from "./approvals.ts";
export * from "./audit.ts";
export * from "./authenticators.ts";
export * from "./consumers.ts";
export {
  type Contract,
  type EventContract,
  event,
  type RequestContract,
  request,
  type ServiceName,
  services,
  subjectOf,
  subjectPatternOf,
  subjectPrefix,
} from "./contract.ts";
export * from "./decoys.ts";
export * from "./directory.ts";
export { type Issue, ServiceError, type ServiceErrorCode, serviceErrors } from "./errors.ts";
export * from "./handshake.ts";
export * from "./holds.ts";
export { alertQueue, mailQueue, waitQueue, wakeQueue } from "./job-queues.ts";
export * from "./messages.ts";
export * from "./passkeys.ts";
export * from "./people.ts";
export * from "./policies.ts";
export { relyingParty, relyingPartyAt, requireRelyingParty } from "./relying-party.ts";
export { reservedLabels } from "./reserved-labels.ts";
export * from "./sessions.ts";
export * from "./signs.ts";
export * from "./sockets.ts";
export { consumersKey, liveSessionKey, removalsKey, removalsTtlMs } from "./state-keys.ts";
export * from "./step-ups.ts";
export * from "./tickets.ts";
export * from "./waits.ts";
export * from "./webhooks.ts";

function isContract(value: unknown): value is Contract {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    (value.kind === "request" || value.kind === "event")
  );
}

/** Everything that may ever be said on the bus; NATS permissions are generated from it. */
export const contracts: readonly Contract[] = Object.freeze(
  [
    handshake,
    waits,
    sessions,
    stepUps,
    messages,
    consumers,
    accounts,
    sockets,
    policies,
    tickets,
    appKeys,
    authenticators,
    passkeys,
    webhooks,
    alerts,
    people,
    approvals,
    signs,
    audit,
    decoys,
    holds,
    directory,
  ]
    .flatMap((group) => Object.values(group))
    .filter(isContract),
);

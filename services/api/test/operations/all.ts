import { accountOperations } from "./account.ts";
import { alertOperations } from "./alerts.ts";
import { approvalOperations } from "./approvals.ts";
import { auditOperations } from "./audit.ts";
import { credentialOperations } from "./credentials.ts";
import { decoyOperations } from "./decoys.ts";
import { directoryOperations } from "./directory.ts";
import { holdOperations } from "./holds.ts";
import { memberOperations } from "./members.ts";
import type { Operation } from "./operation.ts";
import { passkeyOperations } from "./passkeys.ts";
import { peopleOperations } from "./people.ts";
import { policyOperations } from "./policies.ts";
import { serverOperations } from "./server.ts";
import { sessionOperations } from "./sessions.ts";
import { signOperations } from "./signs.ts";
import { socketOperations } from "./sockets.ts";
import { webhookOperations } from "./webhooks.ts";

/** Every operation of the API, by the groups of its routes. */
export const operations: readonly Operation[] = [
  ...accountOperations,
  ...credentialOperations,
  ...passkeyOperations,
  ...socketOperations,
  ...policyOperations,
  ...memberOperations,
  ...signOperations,
  ...webhookOperations,
  ...alertOperations,
  ...sessionOperations,
  ...decoyOperations,
  ...holdOperations,
  ...directoryOperations,
  ...auditOperations,
  ...peopleOperations,
  ...approvalOperations,
  ...serverOperations,
];

import { accountCommands } from "./account.ts";
import { alertCommands } from "./alerts.ts";
import { auditCommands } from "./audit.ts";
import { decoyCommands } from "./decoys.ts";
import { directoryCommands } from "./directory.ts";
import { holdCommands } from "./holds.ts";
import { keyCommands } from "./keys.ts";
import { memberCommands } from "./members.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { peopleCommands } from "./people.ts";
import { sessionCommands } from "./sessions.ts";
import { signCommands } from "./signs.ts";
import { socketCommands } from "./sockets.ts";
import { ticketCommand } from "./tickets.ts";
import { tokenCommands } from "./tokens.ts";
import { webhookCommands } from "./webhooks.ts";

/** In the order of the help. */
export const ownerCommands: readonly OwnerCommand[] = [
  ...accountCommands,
  ...socketCommands,
  ...keyCommands,
  ...memberCommands,
  ...signCommands,
  ticketCommand,
  ...sessionCommands,
  ...directoryCommands,
  ...auditCommands,
  ...decoyCommands,
  ...holdCommands,
  ...webhookCommands,
  ...alertCommands,
  ...peopleCommands,
  ...tokenCommands,
];

import { z } from "zod";

const error = "must be the id of one of the socket's webhooks";

/** Which of the socket's webhooks a gate speaks to. Whether there is one is known to who keeps them. */
export const webhookId = z.string({ error }).regex(/^[A-Za-z0-9_-]{1,64}$/, { error });

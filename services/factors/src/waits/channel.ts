import { z } from "zod";

/** By what somebody is told of a wait. */
export const channel = z.enum(["email", "sms", "call", "webhook"]);
export type Channel = z.infer<typeof channel>;

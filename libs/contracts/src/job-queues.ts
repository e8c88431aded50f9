import { z } from "zod";
import type { ServiceName } from "./contract.ts";
import { id } from "./fields.ts";

/** Work that `identity` leaves for `notify`. The job names the mail; nobody who reads the queue learns an address or a token. */
export const mailQueue = Object.freeze({
  name: "mail",
  producers: ["identity"] satisfies ServiceName[],
  consumers: ["notify"] satisfies ServiceName[],
  data: z.strictObject({ mailId: id }),
});

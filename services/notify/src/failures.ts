import { ServiceError } from "@portcullis/contracts";
import { UnrecoverableJobError } from "@portcullis/jobs";
import { errorClass } from "@portcullis/runtime";
import { NotSentError } from "./transports/not-sent.ts";

/** What the queue may keep of an error: no message of a server, and so no address. */
export function explained(error: unknown): Error {
  if (error instanceof NotSentError) return error.permanent ? new UnrecoverableJobError(error.message) : error;
  if (error instanceof ServiceError) return error;
  return new Error(`the message was not sent: ${errorClass(error)}`);
}

/** For the log. */
export function causeOf(error: unknown): string {
  if (error instanceof NotSentError) return error.replyCode === null ? error.code : `${error.code} ${error.replyCode}`;
  return error instanceof ServiceError ? error.code : errorClass(error);
}

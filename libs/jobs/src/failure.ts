import { UnrecoverableJobError } from "./port.ts";

export function toError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error("a handler threw something that is not an Error", { cause: thrown });
}

/** Whether this run was the last one. A run counts when it starts. */
export function isFinal(error: Error, run: number, attempts: number): boolean {
  return error instanceof UnrecoverableJobError || run >= attempts;
}

/** What is kept of an error: its class. Its message may quote an address or a code, and many people read a queue. */
export function publicName(error: Error): string {
  return /^[A-Za-z0-9_]{1,64}$/.test(error.name) ? error.name : "Error";
}

/** Every allowed run was started and none came to an end. */
export class JobLostError extends Error {
  override readonly name = "JobLostError";
  constructor() {
    super("the process that handled the job died in its last run");
  }
}

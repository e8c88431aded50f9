export {
  type EnqueueOptions,
  type Job,
  type Jobs,
  UnrecoverableJobError,
  type Worker,
  type WorkOptions,
} from "./port.ts";

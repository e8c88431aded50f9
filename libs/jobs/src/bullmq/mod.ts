export { type BullJobsOptions, openBullJobs } from "./jobs.ts";

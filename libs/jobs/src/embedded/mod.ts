export { type EmbeddedJobsOptions, openEmbeddedJobs } from "./jobs.ts";

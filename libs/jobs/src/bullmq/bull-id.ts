/**
 * BullMQ keeps a job under `prefix:queue:id`, right beside its own `prefix:queue:delayed`, `:failed`, `:meta` and more: a job
 * of that name would break the queue. None of them begins like this.
 */
const start = "job-";

export const toBullId = (id: string): string => start + id;

export const fromBullId = (id: string | undefined): string => String(id).slice(start.length);

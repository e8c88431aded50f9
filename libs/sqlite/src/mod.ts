export { openSqlite } from "./open.ts";
export { atomically } from "./transaction.ts";

export { createLocalKms, type MasterKeys } from "./local.ts";

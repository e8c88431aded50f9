import type { ServiceName } from "@portcullis/contracts";
import type { Needs } from "./assemble.ts";

/** The edge has no database, and the API has none either: whoever breaks into what faces the Internet finds nothing there. */
export const needs: Readonly<Record<ServiceName, Needs>> = Object.freeze({
  edge: {},
  api: {},
  identity: { documents: true, state: true, jobs: true, vault: true },
  factors: { documents: true, state: true, jobs: true, vault: true },
  keys: { documents: true, state: true, vault: true },
  notify: { jobs: true },
});

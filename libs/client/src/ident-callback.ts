import type { Ident } from "./prompts/ident.ts";
import type { Server } from "./question.ts";

/** Told of what a person may recognise the server by. Must not throw. */
export type IdentCallback = (shown: Ident & { readonly server: Server }) => void;

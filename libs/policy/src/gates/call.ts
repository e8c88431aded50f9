import { contactGate } from "./contact.ts";

/** A link cannot be spoken: a call says a code. */
export const call = contactGate("call", ["code"]);

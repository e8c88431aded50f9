import { contactGate } from "./contact.ts";

export const call = contactGate("call");

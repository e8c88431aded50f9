import { contactGate } from "./contact.ts";

export const email = contactGate("email");

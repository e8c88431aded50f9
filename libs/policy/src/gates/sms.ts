import { contactGate } from "./contact.ts";

export const sms = contactGate("sms");

import { sentCode } from "./contact.ts";

export const sms = sentCode("Code from the text message");

import { sentCode } from "./contact.ts";

export const email = sentCode("Code from the e-mail");

import { sentCode } from "./contact.ts";

export const call = sentCode("Code from the call");

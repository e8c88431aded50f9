import { fingerprintWords } from "@portcullis/crypto/words";
import type { Json } from "../api.ts";
import { done, record } from "../show.ts";
import type { OwnerCommand } from "./owner-command.ts";

export const accountCommands: readonly OwnerCommand[] = [
  {
    usage: "whoami",
    about: "the account, and with what it is asked",
    run: (api) => api.ask("GET", "/v1/account"),
    show: ({ credential, ...account }) => record({ ...account, credential: (credential as Json | undefined)?.kind }),
  },
  {
    usage: "server",
    about: "which server this is, in the six words that portcullis connect shows",
    run: async (api) => {
      const server = await api.ask("GET", "/v1/server");
      return { ...server, words: fingerprintWords(String(server.fingerprint)) };
    },
    show: record,
  },
  {
    usage: "email resend",
    about: "the mail once more that confirms your address",
    run: (api) => api.ask("POST", "/v1/account/email/resend"),
    show: done("A mail is on its way, unless the address is confirmed: portcullis owner email confirm"),
  },
  {
    usage: "email confirm",
    about: "your address; asks for the token that the mail has",
    run: async (api, _given, ask) =>
      api.ask("POST", "/v1/account/email/verify", { body: { token: await ask("Token from the mail: ") } }),
    show: done("Confirmed."),
  },
];

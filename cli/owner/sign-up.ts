import { exitCodes, Sorry } from "../exit.ts";
import type { Terminal } from "../terminal.ts";
import { createApi, type Json } from "./api.ts";
import { need } from "./sign-in.ts";

/** Asks for what is not given, and for the password twice where nobody sees what they type; a line each, where there is a pipe. */
export async function signUp(url: string, given: string | undefined, terminal: Terminal): Promise<Json> {
  const email = given ?? (await need(terminal, "E-mail: ", false));
  const password = await need(terminal, "Password: ", true);
  if (terminal.isPerson && (await need(terminal, "Password, once more: ", true)) !== password)
    throw new Sorry(exitCodes.refused, "the passwords differ, and nothing was done");
  const token = await terminal.ask("Bootstrap token or that of an invitation, or nothing where sign-up is open: ", {
    masked: true,
  });
  const name = token?.trim().startsWith("pci_") ? "invitationToken" : "bootstrapToken";
  const api = createApi(url, {});
  await api.ask("POST", "/v1/account", {
    body: { email, password, ...(token ? { [name]: token.trim() } : {}) },
    onProblem: (problem) => {
      if (problem === "forbidden")
        throw new Sorry(
          exitCodes.refused,
          "sign-up is closed, and the token is not right, was used, or invites another address",
        );
    },
  });
  return { email, url: api.url };
}

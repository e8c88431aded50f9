import { exitCodes, Sorry } from "../exit.ts";
import type { Terminal } from "../terminal.ts";
import { createApi, type Json } from "./api.ts";
import { postWithPassword } from "./password.ts";
import { forgetSignedIn, keepSignedIn, type SignedIn } from "./signed-in.ts";

/** Asks for what is not given; a line each, where there is a pipe. */
export async function signIn(url: string, given: string | undefined, terminal: Terminal): Promise<Json> {
  const email = given ?? (await need(terminal, "E-mail: ", false));
  const api = createApi(url, {});
  let cookie = "";
  const session = await postWithPassword(api, "/v1/sign-in", { email }, (prompt) => need(terminal, prompt, true), {
    wrong: "e-mail, password or code are not right",
    onCookie: (set) => {
      cookie = set;
    },
  });
  await keepSignedIn({ url: api.url, email, cookie });
  return { email, url: api.url, expiresAt: session.expiresAt };
}

export async function signOut({ url, cookie }: SignedIn): Promise<void> {
  // First here: whatever the server says, nobody is signed in on this machine any more.
  await forgetSignedIn();
  await createApi(url, { cookie }).ask("POST", "/v1/sign-out");
}

export async function need(terminal: Terminal, prompt: string, masked: boolean): Promise<string> {
  const line = await terminal.ask(prompt, { masked });
  if (line === null || line === "") throw new Sorry(exitCodes.usage, "nothing was typed");
  return line;
}

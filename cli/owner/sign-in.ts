import { exitCodes, Sorry } from "../exit.ts";
import type { Terminal } from "../terminal.ts";
import { createApi, type Json } from "./api.ts";
import { forgetSignedIn, keepSignedIn, type SignedIn } from "./signed-in.ts";

/** Asks for the password, and for a code where the account has an authenticator; a line each, where there is a pipe. */
export async function signIn(url: string, given: string | undefined, terminal: Terminal): Promise<Json> {
  const email = given ?? (await need(terminal, "E-mail: ", false));
  const password = await need(terminal, "Password: ", true);
  const api = createApi(url, {});
  let cookie = "";
  let needsCode = false;
  const enter = (code: Json) =>
    api.ask("POST", "/v1/sign-in", {
      body: { email, password, ...code },
      onCookie: (set) => {
        cookie = set;
      },
      onProblem: (problem) => {
        needsCode = problem === "second_factor_required";
        if (problem === "unauthenticated") throw new Sorry(exitCodes.refused, "e-mail, password or code are not right");
      },
    });
  let session: Json;
  try {
    session = await enter({});
  } catch (error) {
    if (!needsCode) throw error;
    session = await enter({ code: await need(terminal, "Code of your authenticator: ", true) });
  }
  await keepSignedIn({ url: api.url, email, cookie });
  return { email, url: api.url, expiresAt: session.expiresAt };
}

export async function signOut({ url, cookie }: SignedIn): Promise<void> {
  // First here: whatever the server says, nobody is signed in on this machine any more.
  await forgetSignedIn();
  await createApi(url, { cookie }).ask("POST", "/v1/sign-out");
}

async function need(terminal: Terminal, prompt: string, masked: boolean): Promise<string> {
  const line = await terminal.ask(prompt, { masked });
  if (line === null || line === "") throw new Sorry(exitCodes.usage, "nothing was typed");
  return line;
}

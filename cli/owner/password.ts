import { exitCodes, Sorry } from "../exit.ts";
import type { Api, AskOptions, Json } from "./api.ts";

/** What is typed at the terminal and shown to nobody; a line of the input, where there is a pipe. */
export type Ask = (prompt: string) => Promise<string>;

/**
 * Asks for the password, and for a code, or one that recovers, where the account has an authenticator.
 *
 * @throws {Sorry} they are not right, or the answer is no
 */
export async function postWithPassword(
  api: Api,
  path: string,
  body: Json,
  ask: Ask,
  { wrong, ...options }: Pick<AskOptions, "onCookie"> & { readonly wrong?: string } = {},
): Promise<Json> {
  const password = await ask("Password: ");
  let needsCode = false;
  const post = (code: Json) =>
    api.ask("POST", path, {
      ...options,
      body: { ...body, password, ...code },
      onProblem: (problem) => {
        needsCode = problem === "second_factor_required";
        if (problem === "unauthenticated" && wrong !== undefined) throw new Sorry(exitCodes.refused, wrong);
      },
    });
  try {
    return await post({});
  } catch (error) {
    if (!needsCode) throw error;
    const typed = await ask("Code of your authenticator, or a recovery code: ");
    return post(/^[0-9]{6,8}$/.test(typed) ? { code: typed } : { recoveryCode: typed });
  }
}

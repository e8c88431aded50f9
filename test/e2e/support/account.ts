import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Authenticator, scan } from "../../../deploy/demo/authenticator.ts";
import { type Answer, ask } from "./http.ts";
import type { World } from "./world.ts";

/** A person at the API, from a network of their own. */
export interface Person {
  readonly email: string;
  readonly password: string;
  readonly from: string;
  post(path: string, body?: unknown, cookie?: string): Promise<Answer>;
  get(path: string, cookie?: string): Promise<Answer>;
  delete(path: string, body?: unknown, cookie?: string): Promise<Answer>;
  signUp(extra?: object): Promise<Answer>;
  signIn(extra?: object): Promise<Answer>;
  /** @throws when it does not succeed. */
  signedIn(extra?: object): Promise<string>;
  /** Token of the mail with that subject, which may still be on its way. */
  mailed(subject: RegExp): Promise<string>;
  /** How many such mails there are now. */
  mails(subject: RegExp): Promise<number>;
}

let people = 0;

/** The world has to believe `X-Forwarded-For` from this machine. */
export function person(
  world: Pick<World, "url" | "outboxDir">,
  known: { readonly email?: string; readonly password?: string } = {},
): Person {
  people += 1;
  const from = `198.51.${100 + (people >> 8)}.${people & 255}`;
  const email = known.email ?? `person-${randomBytes(5).toString("hex")}@example.com`;
  const password = known.password ?? randomBytes(18).toString("base64url");
  const matching = async (subject: RegExp): Promise<string[]> => {
    const names = (await readdir(world.outboxDir)).filter((name) => name.endsWith(".eml"));
    const mails = await Promise.all(names.map((name) => readFile(join(world.outboxDir, name), "utf8")));
    return mails.filter((mail) => mail.includes(email) && subject.test(/^Subject: (.*)$/m.exec(mail)?.[1] ?? ""));
  };
  const self: Person = {
    email,
    password,
    from,
    post: (path, body, cookie) => ask(world.url, "POST", path, { body, cookie, from }),
    get: (path, cookie) => ask(world.url, "GET", path, { cookie, from }),
    delete: (path, body, cookie) => ask(world.url, "DELETE", path, { body, cookie, from }),
    signUp: (extra = {}) => self.post("/v1/account", { email, password, ...extra }),
    signIn: (extra = {}) => self.post("/v1/sign-in", { email, password, ...extra }),
    async signedIn(extra) {
      const { status, code, cookie } = await self.signIn(extra);
      if (status !== 200 || cookie === null) throw new Error(`sign-in: ${status} ${code}`);
      return cookie;
    },
    async mailed(subject) {
      for (let attempt = 0; attempt < 400; attempt += 1) {
        for (const mail of await matching(subject)) {
          // Quoted-printable breaks lines with "=".
          const token = /^ {2}([A-Za-z0-9._-]{20,128})\s*$/m.exec(mail.replaceAll(/=\r?\n/g, ""))?.[1];
          if (token !== undefined) return token;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`no mail ${subject} with a token came`);
    },
    mails: async (subject) => (await matching(subject)).length,
  };
  return self;
}

export async function confirmAddress(who: Person, cookie: string): Promise<void> {
  const confirmed = await who.post("/v1/account/email/verify", { token: await who.mailed(/Confirm/) }, cookie);
  if (confirmed.status !== 204) throw new Error(`confirm the address: ${confirmed.status} ${confirmed.code}`);
}

/** Confirms the address, enrols and confirms. The time step is used up by it. */
export async function addSecondFactor(
  world: Pick<World, "now">,
  who: Person,
  cookie: string,
): Promise<{ readonly app: Authenticator; readonly recoveryCodes: readonly string[] }> {
  await confirmAddress(who, cookie);
  const begun = await who.post("/v1/account/authenticator", { password: who.password }, cookie);
  const app = scan(String(begun.body.uri));
  const confirmed = await who.post("/v1/account/authenticator/confirm", { code: app.code(world.now()) }, cookie);
  if (confirmed.status !== 200) throw new Error(`confirm: ${confirmed.status} ${confirmed.code}`);
  return { app, recoveryCodes: confirmed.body.recoveryCodes as string[] };
}

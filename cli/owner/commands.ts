import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { fingerprintWords } from "@portcullis/crypto";
import { framed } from "../connect/ident.ts";
import { exitCodes, Sorry } from "../exit.ts";
import type { Api, Json } from "./api.ts";
import { type Ask, postWithPassword } from "./password.ts";
import { peopleCommands } from "./people-commands.ts";
import { qrCode, record, table } from "./show.ts";

/** What was typed behind the name of the command. */
export interface Given {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, string | undefined>>;
}

export interface OwnerCommand {
  /** As it is typed, `socket create LABEL`; words in capitals are arguments. */
  readonly usage: string;
  readonly about: string;
  /** What its options take, and what for. */
  readonly options?: Readonly<Record<string, readonly [takes: string, about: string]>>;
  /** What cannot be undone is asked about first. */
  readonly confirm?: (given: Given) => string;
  /** @returns the answer, for programs */
  run(api: Api, given: Given, ask: Ask): Promise<Json>;
  /** The same for people. */
  show(answer: Json): string;
}

const socketColumns = ["id", "label", "role", "url", "updatedAt"];
const keyColumns = ["keyId", "label", "createdAt", "lastUsedAt", "revokedAt"];
const memberColumns = ["name", "email", "phone", "authenticator", "answerSecret", "answerRule", "passkey", "sign"];
const sessionColumns = ["sid", "member", "role", "edge", "gates", "acceptedAt", "expiresAt", "words"];
const tokenColumns = ["id", "label", "createdAt", "expiresAt", "lastUsedAt"];

const policyOption = { policy: ["FILE", "the policy, as JSON; - is standard input"] } as const;
const contactOptions = {
  email: ["ADDRESS", "for the gate email"],
  phone: ["NUMBER", "for the gates sms and call, like +49301234567"],
} as const;
const shownOnce = "It is shown this once: keep it where nobody else looks.";
const rows = (answer: Json, name: string) => (Array.isArray(answer[name]) ? (answer[name] as Json[]) : []);
const at = (value: string | undefined) => encodeURIComponent(value ?? "");
const socketPath = ({ args: [id] }: Given) => `/v1/sockets/${at(id)}`;
const memberPath = (given: Given) => `${socketPath(given)}/members/${at(given.args[1])}`;
const done = (text: string) => () => text;

export const ownerCommands: readonly OwnerCommand[] = [
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
  {
    usage: "socket list",
    about: "your sockets",
    run: (api) => all(api, "/v1/sockets", "sockets"),
    show: (answer) =>
      table(rows(answer, "sockets"), socketColumns, "You have no socket yet: portcullis owner socket create LABEL"),
  },
  {
    usage: "socket create LABEL",
    about: "a socket; without a policy, behind an app key and an authenticator",
    options: { ...policyOption, path: ["PATH", "its secret path; one that nobody guesses is made unless you say so"] },
    run: async (api, { args: [label], options }) => {
      const policy = (await policyIn(options.policy)) ?? { gates: [{ gate: "key" }, { gate: "otp" }] };
      const path = options.path === undefined ? {} : { path: options.path };
      return api.ask("POST", "/v1/sockets", { body: { label, policy, ...path } });
    },
    show: (answer) => `${socket(answer)}\n\nThe path in its URL is a secret. ${shownOnce}`,
  },
  {
    usage: "socket show SOCKET",
    about: "one socket, with its policy and what is weak about it",
    run: (api, given) => api.ask("GET", socketPath(given)),
    show: socket,
  },
  {
    usage: "socket policy SOCKET",
    about: "another policy, for whoever comes from now on",
    options: policyOption,
    run: async (api, given) => {
      const policy = await policyIn(given.options.policy);
      if (policy === null) throw new Sorry(exitCodes.usage, "--policy is missing");
      const { version } = await api.ask("GET", socketPath(given));
      return api.ask("PATCH", socketPath(given), { body: { version, policy } });
    },
    show: socket,
  },
  {
    usage: "socket path SOCKET",
    about: "another secret path; the one before leads nowhere from then on",
    confirm: ({ args: [id] }) => `end the path of socket ${id}, and everybody has to be told another`,
    run: async (api, given) => {
      const { version } = await api.ask("GET", socketPath(given));
      return api.ask("PATCH", socketPath(given), { body: { version, path: null } });
    },
    show: (answer) => `${socket(answer)}\n\n${shownOnce}`,
  },
  {
    usage: "socket authenticator SOCKET",
    about: "a new authenticator that its members share, for a gate otp of the socket; the one before ends",
    run: (api, given) => api.ask("POST", `${socketPath(given)}/authenticator`),
    show: authenticator,
  },
  {
    usage: "socket delete SOCKET",
    about: "the socket, its keys and members; whoever is on it is put out",
    confirm: ({ args: [id] }) => `delete socket ${id}, its keys and members`,
    run: (api, given) => api.ask("DELETE", socketPath(given)),
    show: done("Deleted."),
  },
  {
    usage: "key list SOCKET",
    about: "its app keys",
    run: (api, given) => api.ask("GET", `${socketPath(given)}/keys`),
    show: (answer) =>
      table(rows(answer, "appKeys"), keyColumns, "There is no key yet: portcullis owner key create SOCKET"),
  },
  {
    usage: "key create SOCKET",
    about: "an app key for those who may knock",
    options: { label: ["TEXT", "what for"] },
    run: (api, given) =>
      api.ask("POST", `${socketPath(given)}/keys`, { body: { label: given.options.label ?? "made at a terminal" } }),
    show: ({ key }) => `${record({ key })}\n${shownOnce}`,
  },
  {
    usage: "key revoke SOCKET KEY",
    about: "an app key; who came in by it is put out",
    confirm: ({ args: [, key] }) => `revoke key ${key}`,
    run: (api, given) => api.ask("DELETE", `${socketPath(given)}/keys/${at(given.args[1])}`),
    show: ({ closed }) => `Revoked; ${closed} sessions ended.`,
  },
  {
    usage: "member list SOCKET",
    about: "its members",
    run: (api, given) => all(api, `${socketPath(given)}/members`, "members"),
    show: (answer) =>
      table(
        rows(answer, "members").map(withContacts),
        memberColumns,
        "There is no member yet: portcullis owner member add SOCKET NAME",
      ),
  },
  {
    usage: "member add SOCKET NAME",
    about: "somebody who may come in by that name",
    options: contactOptions,
    run: (api, given) =>
      api.ask("POST", `${socketPath(given)}/members`, { body: { name: given.args[1], contacts: contactsIn(given) } }),
    show: member,
  },
  {
    usage: "member contact SOCKET NAME",
    about: "where a member's messages go; what you do not say stays, '' takes it away",
    options: contactOptions,
    run: async (api, given) => {
      const changed = contactsIn(given);
      if (Object.keys(changed).length === 0) throw new Sorry(exitCodes.usage, "--email or --phone is missing");
      const { members } = await all(api, `${socketPath(given)}/members`, "members");
      const found = rows({ members }, "members").find(({ name }) => name === given.args[1]);
      if (found === undefined)
        throw new Sorry(exitCodes.refused, "there is no member of that name: portcullis owner member list SOCKET");
      const { version, contacts } = found;
      // The API replaces them as a whole.
      return api.ask("PATCH", memberPath(given), {
        body: { version, contacts: { ...(contacts as Json), ...changed } },
      });
    },
    show: member,
  },
  {
    usage: "member remove SOCKET NAME",
    about: "a member; they are put out",
    confirm: ({ args: [, name] }) => `remove member ${name}`,
    run: (api, given) => api.ask("DELETE", memberPath(given)),
    show: ({ closed }) => `Removed; ${closed} sessions ended.`,
  },
  {
    usage: "member authenticator SOCKET NAME",
    about: "a new authenticator for the member, as a QR code; the one before ends",
    run: (api, given) => api.ask("POST", `${memberPath(given)}/authenticator`),
    show: authenticator,
  },
  {
    usage: "member answer-secret SOCKET NAME",
    about: "a new answer secret for the member, for the gate question; the one before ends",
    run: (api, given) => api.ask("POST", `${memberPath(given)}/answer-secret`),
    show: (answer) => `${record(answer)}\n${shownOnce}`,
  },
  {
    usage: "member answer-rule SOCKET NAME",
    about: "a new answer rule for the member, for the gate question of the kind rule; the one before ends",
    options: { rule: ["STEPS", "like '3 -1 2+4 =tea'; four random positions unless you say so"] },
    run: (api, given) => {
      const { rule } = given.options;
      return api.ask("PUT", `${memberPath(given)}/answer-rule`, { body: rule === undefined ? {} : { rule } });
    },
    show: (answer) => `${record(answer)}\n${shownOnce}`,
  },
  {
    usage: "ticket SOCKET",
    about: "a one-time ticket, good for a minute: for you, unless you say for whom",
    options: {
      member: ["NAME", "whom you have signed in yourself"],
      role: ["ROLE", "member, owner or consumer; owner unless there is a member"],
    },
    run: (api, given) => {
      const { member, role = member === undefined ? "owner" : "member" } = given.options;
      return api.ask("POST", `${socketPath(given)}/tickets`, { body: { member: member ?? null, role } });
    },
    show: (answer) =>
      `${record(answer)}\n${shownOnce}\nPORTCULLIS_TICKET=… portcullis connect URL --pin PIN goes in with it.`,
  },
  {
    usage: "member sign SOCKET NAME",
    about: "the member's sign, by which they recognise this server; with an option, another one",
    options: {
      art: ["FILE", "plain ASCII, at most 24 lines of 64; - is standard input"],
      make: ["KIND", "emblem: have one made, as those are among which it is picked"],
    },
    run: async (api, given) => {
      const { art, make } = given.options;
      if (art === undefined && make === undefined) return api.ask("GET", `${memberPath(given)}/sign`);
      if ((art !== undefined && make !== undefined) || (make !== undefined && make !== "emblem"))
        throw new Sorry(exitCodes.usage, "either --art FILE or --make emblem");
      const body = art === undefined ? {} : { art: pictureOf(await textIn(art)) };
      return api.ask("PUT", `${memberPath(given)}/sign`, { body });
    },
    show: ({ art }) => framed(String(art)).join("\n"),
  },
  {
    usage: "member sign-token SOCKET NAME",
    about: "a token by which the member sets their own sign, once, within a day, with POST /v1/signs",
    run: (api, given) => api.ask("POST", `${memberPath(given)}/sign/invitation`),
    show: (answer) => `${record(answer)}\n${shownOnce}`,
  },
  {
    usage: "member sign-remove SOCKET NAME",
    about: "takes the member's sign away",
    run: (api, given) => api.ask("DELETE", `${memberPath(given)}/sign`),
    show: done("Removed."),
  },
  {
    usage: "session list SOCKET",
    about: "who is on it",
    run: (api, given) => all(api, `${socketPath(given)}/sessions`, "sessions"),
    show: (answer) => table(rows(answer, "sessions"), sessionColumns, "Nobody is there."),
  },
  {
    usage: "session kick SOCKET SESSION",
    about: "puts somebody out, at once",
    run: (api, given) => api.ask("DELETE", `${socketPath(given)}/sessions/${at(given.args[1])}`),
    show: done("Put out."),
  },
  ...peopleCommands,
  {
    usage: "token list",
    about: "API tokens, for programs",
    run: (api) => api.ask("GET", "/v1/account/tokens"),
    show: (answer) => table(rows(answer, "tokens"), tokenColumns, "There is no token."),
  },
  {
    usage: "token create LABEL",
    about: "an API token; asks for your password and, where you have one, the code of your authenticator",
    options: { expires: ["TIME", "within a year, like 2027-01-31T12:00:00Z; 90 days unless you say so"] },
    run: (api, { args: [label], options: { expires } }, ask) => {
      const expiresAt = expires === undefined ? {} : { expiresAt: expires };
      return postWithPassword(api, "/v1/account/tokens", { label, ...expiresAt }, ask);
    },
    show: ({ token, secret }) => `${record({ ...(token as Json), secret })}\n${shownOnce}`,
  },
  {
    usage: "token revoke TOKEN",
    about: "an API token",
    confirm: ({ args: [id] }) => `revoke token ${id}`,
    run: (api, { args: [id] }) => api.ask("DELETE", `/v1/account/tokens/${at(id)}`),
    show: done("Revoked."),
  },
];

/** A socket, and below it what is said of its policy. */
function socket({ advice, ...rest }: Json): string {
  const weak = rows({ advice }, "advice");
  return weak.length === 0
    ? record(rest)
    : `${record(rest)}\n\nWeaker than it may look:\n${table(weak, ["severity", "path", "message"], "")}`;
}

const withContacts = ({ contacts, ...rest }: Json): Json => ({ ...rest, ...(contacts as Json) });

function member(answer: Json): string {
  return record(withContacts(answer));
}

function authenticator({ uri }: Json): string {
  return `${qrCode(String(uri))}\nTo be scanned by a phone. ${shownOnce}\n${String(uri)}`;
}

function contactsIn({ options: { email, phone } }: Given): Json {
  // An address that is empty is none.
  return {
    ...(email === undefined ? {} : { email: email || null }),
    ...(phone === undefined ? {} : { phone: phone || null }),
  };
}

export async function allSockets(api: Api): Promise<{ readonly sockets: readonly { id: string; label: string }[] }> {
  const answer = await all(api, "/v1/sockets", "sockets");
  return { sockets: rows(answer, "sockets").map(({ id, label }) => ({ id: String(id), label: String(label) })) };
}

/** All pages as one. */
async function all(api: Api, path: string, name: string): Promise<Json> {
  const found: Json[] = [];
  let after: string | null = null;
  do {
    const query: string = after === null ? "?limit=200" : `?limit=200&after=${encodeURIComponent(after)}`;
    const page = await api.ask("GET", `${path}${query}`);
    found.push(...rows(page, name));
    after = typeof page.next === "string" ? page.next : null;
  } while (after !== null);
  return { [name]: found };
}

async function textIn(file: string): Promise<string> {
  try {
    return file === "-" ? await readAll(process.stdin) : await readFile(file, "utf8");
  } catch {
    throw new Sorry(exitCodes.usage, `${file} cannot be read`);
  }
}

/** As editors leave it: spaces at the ends of lines, and a last line that is empty, are no part of a picture. */
function pictureOf(text: string): string {
  const lines = text.split("\n").map((line) => line.trimEnd());
  return lines.join("\n").replace(/^\n+|\n+$/g, "");
}

async function policyIn(file: string | undefined): Promise<Json | null> {
  if (file === undefined) return null;
  const text = await textIn(file);
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new Sorry(exitCodes.usage, `${file === "-" ? "what came in" : file} is not JSON`);
  }
}

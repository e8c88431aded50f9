import { exitCodes, Sorry } from "../../exit.ts";
import type { Api, Json } from "../api.ts";
import { authenticator, done, record, rows, shownOnce, table } from "../show.ts";
import type { Given, OwnerCommand } from "./owner-command.ts";
import { allOf } from "./pages.ts";
import { memberPath, socketPath } from "./paths.ts";

const memberColumns = [
  "name",
  "email",
  "phone",
  "authenticator",
  "answerSecret",
  "answerRule",
  "passkey",
  "sign",
  "canary",
];
const contactOptions = {
  email: ["ADDRESS", "for the gate email"],
  phone: ["NUMBER", "for the gates sms and call, like +49301234567"],
} as const;

/** Members of a socket, and what they answer gates with. */
export const memberCommands: readonly OwnerCommand[] = [
  {
    usage: "member list SOCKET",
    about: "its members",
    run: (api, given) => allOf(api, `${socketPath(given)}/members`, "members"),
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
    options: {
      ...contactOptions,
      canary: ["", "nobody, whose name and secrets you plant: whoever comes as them is refused, and you are alerted"],
    },
    run: (api, given) => {
      const canary = given.options.canary !== undefined;
      const body = { name: given.args[1], canary, contacts: contactsIn(given) };
      return api.ask("POST", `${socketPath(given)}/members`, { body });
    },
    show: member,
  },
  {
    usage: "member contact SOCKET NAME",
    about: "where a member's messages go; what you do not say stays, '' takes it away",
    options: contactOptions,
    run: async (api, given) => {
      const changed = contactsIn(given);
      if (Object.keys(changed).length === 0) throw new Sorry(exitCodes.usage, "--email or --phone is missing");
      const { version, contacts } = await memberNamed(api, given);
      // The API replaces them as a whole.
      return api.ask("PATCH", memberPath(given), {
        body: { version, contacts: { ...(contacts as Json), ...changed } },
      });
    },
    show: member,
  },
  {
    usage: "member passphrase SOCKET NAME",
    about: "another passphrase, for which the page at the socket's address gives the member tickets; asks for it",
    run: async (api, given, ask) => {
      const { version } = await memberNamed(api, given);
      const passphrase = await ask("The member's passphrase: ");
      return api.ask("PATCH", memberPath(given), { body: { version, passphrase } });
    },
    show: member,
  },
  {
    usage: "member passphrase-remove SOCKET NAME",
    about: "takes the member's passphrase away",
    run: async (api, given) => {
      const { version } = await memberNamed(api, given);
      return api.ask("PATCH", memberPath(given), { body: { version, passphrase: null } });
    },
    show: done("Removed."),
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
    usage: "member authenticator-remove SOCKET NAME",
    about: "takes the member's authenticator away; who came in with it is put out",
    run: (api, given) => api.ask("DELETE", `${memberPath(given)}/authenticator`),
    show: done("Removed."),
  },
  {
    usage: "member answer-secret SOCKET NAME",
    about: "a new answer secret for the member, for the gate question; the one before ends",
    run: (api, given) => api.ask("POST", `${memberPath(given)}/answer-secret`),
    show: (answer) => `${record(answer)}\n${shownOnce}`,
  },
  {
    usage: "member answer-secret-remove SOCKET NAME",
    about: "takes the member's answer secret away; who came in with it is put out",
    run: (api, given) => api.ask("DELETE", `${memberPath(given)}/answer-secret`),
    show: done("Removed."),
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
    usage: "member answer-rule-remove SOCKET NAME",
    about: "takes the member's answer rule away; who came in with it is put out",
    run: (api, given) => api.ask("DELETE", `${memberPath(given)}/answer-rule`),
    show: done("Removed."),
  },
];

async function memberNamed(api: Api, given: Given): Promise<Json> {
  const { members } = await allOf(api, `${socketPath(given)}/members`, "members");
  const found = rows({ members }, "members").find(({ name }) => name === given.args[1]);
  if (found === undefined)
    throw new Sorry(exitCodes.refused, "there is no member of that name: portcullis owner member list SOCKET");
  return found;
}

const withContacts = ({ contacts, ...rest }: Json): Json => ({ ...rest, ...(contacts as Json) });

function member(answer: Json): string {
  return record(withContacts(answer));
}

function contactsIn({ options: { email, phone } }: Given): Json {
  // An address that is empty is none.
  return {
    ...(email === undefined ? {} : { email: email || null }),
    ...(phone === undefined ? {} : { phone: phone || null }),
  };
}

import { requiresKey } from "../policy.ts";
import { asked, type Way } from "../ways.ts";
import { advice, type Rule } from "./advice.ts";

const toPeople: ReadonlySet<string> = new Set(["email", "sms", "call"]);

/** Ways on which messages to the member are all that has to be answered. */
export const messagesOnly: Rule = ({ policy, ways }) => {
  const found = ways.ways.find((way) => isMessagesOnly(way));
  if (found === undefined) return [];
  if (!requiresKey(policy))
    return [
      advice(
        "readers-get-in",
        "danger",
        "gates",
        "whoever reads the member's messages is let in: there is a way through on which no gate asks for anything else",
      ),
    ];
  return asked(found).every(({ item }) => item.gate === "email")
    ? [
        advice(
          "messages-only",
          "warning",
          `gates.${asked(found)[0]?.at ?? "0"}`,
          "besides the app key, which many may hold, e-mail is the only factor on a way through",
        ),
      ]
    : [];
};

function isMessagesOnly(way: Way): boolean {
  const steps = asked(way);
  return steps.length > 0 && steps.every(({ item }) => toPeople.has(item.gate));
}

export const email: Rule = ({ gates }) =>
  gates
    .filter(({ gate }) => gate === "email")
    .map(({ at }) =>
      advice(
        "email-no-authenticator",
        "warning",
        `gates.${at}`,
        "e-mail shows that somebody reads the mailbox; it is no authenticator (NIST SP 800-63B-4 section 3.1.3)",
      ),
    );

export const sms: Rule = ({ gates, ways }) => {
  const isNeeded = ways.ways.every(({ steps }) => steps.some(({ item }) => item.gate === "sms"));
  return gates
    .filter(({ gate }) => gate === "sms")
    .map(({ at }) =>
      advice(
        "sms-restricted",
        "warning",
        `gates.${at}`,
        `text messages can be read or redirected on their way; NIST SP 800-63B-4 section 3.1.3.3 restricts them${isNeeded ? ": offer another way as well" : ""}`,
      ),
    );
};

/** Whoever is asked often enough says yes at some time. What helps is that they have to type what only the client shows. */
export const fatigue: Rule = ({ gates, policy }) => {
  const asking = gates.filter(({ gate, config }) => isAnsweredElsewhere(gate, config));
  const [first] = asking;
  if (first === undefined || requiresKey(policy)) return [];
  return [
    advice(
      "fatigue",
      "warning",
      `gates.${first.at}`,
      "without `key` strangers can have people asked again and again; who is asked often enough says yes once",
    ),
  ];
};

function isAnsweredElsewhere(gate: string, config: Readonly<Record<string, unknown>>): boolean {
  return gate === "approval" || (toPeople.has(gate) && config.by === "link");
}

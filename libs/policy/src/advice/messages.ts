import { requiresKey } from "../policy.ts";
import { asked, isOpening, waysWith } from "../ways.ts";
import { advice, type Rule } from "./advice.ts";

/** With a proof of work, which anybody can bring: it is no second factor. */
const toPeople: ReadonlySet<string> = new Set(["email", "sms", "call", "captcha"]);

/** Ways on which messages to the member are all that has to be answered. */
export const messagesOnly: Rule = ({ policy }) => {
  const found = waysWith(policy, (item) => isOpening(item) || toPeople.has(item.gate) || item.gate === "ident").find(
    (way) => asked(way).length > 0,
  );
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
  const byMailOnly = waysWith(
    policy,
    (item) => isOpening(item) || item.gate === "email" || item.gate === "captcha",
  ).find((way) => asked(way).length > 0);
  return byMailOnly !== undefined
    ? [
        advice(
          "messages-only",
          "warning",
          `gates.${asked(byMailOnly)[0]?.at ?? "0"}`,
          "besides the app key, which many may hold, e-mail is the only factor on a way through",
        ),
      ]
    : [];
};

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

export const sms: Rule = ({ gates, policy }) => {
  const goesByPhone = (gate: string) => gate === "sms" || gate === "call";
  const isNeeded = waysWith(policy, ({ gate }) => !goesByPhone(gate)).length === 0;
  return gates
    .filter(({ gate }) => goesByPhone(gate))
    .map(({ at }) =>
      advice(
        "sms-restricted",
        "warning",
        `gates.${at}`,
        `text messages and calls can be read or redirected on their way; NIST SP 800-63B-4 section 3.1.3.3 restricts them${isNeeded ? ": offer another way as well" : ""}`,
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

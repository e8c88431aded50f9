import { isBehindProof } from "../bound.ts";
import { among, gateOf, isBoundToConnection } from "../gates/registry.ts";
import { type Item, visitGates } from "../items.ts";
import { requiresKey } from "../policy.ts";
import { asked, waysWith } from "../ways.ts";
import { type Advice, advice, type Rule } from "./advice.ts";

/** What single gates do not show. */
const misread: Readonly<Record<string, readonly [Advice["code"], Advice["severity"], string]>> = {
  question: [
    "question-no-person",
    "info",
    "shows that the client holds the member's answer secret; it does not show that a person is there",
  ],
  rule: [
    "rule-observed",
    "info",
    "shows that somebody knows the member's rule; who sees a few statements with their answers can work it out",
  ],
  jwt: [
    "jwt-bearer",
    "info",
    "says what the identity provider says of whoever holds the token; a stolen one lets in until it is used or expires",
  ],
  approval: [
    "approval-no-proof",
    "info",
    "shows that people of the socket let somebody in, and nothing about who that is: people can be talked into it, and into typing a number",
  ],
  captcha: [
    "captcha-no-human",
    "info",
    "shows that a computer has worked, which makes trying dear; it does not show that a person is there",
  ],
};

export const misreadGates: Rule = ({ gates }) =>
  gates.flatMap(({ at, gate, config }) => {
    // What an owner's own question shows is for its owner to know.
    const name = config.kind === "rule" ? "rule" : gate;
    const [code, severity, message] = config.kind === "custom" ? [] : (misread[name] ?? []);
    return code === undefined || severity === undefined || message === undefined
      ? []
      : [advice(code, severity, `gates.${at}`, message)];
  });

/**
 * A page that looks like the right one passes on what people type into it. An app key pins the server and is part of the handshake's keys, so nobody without
 * it gets in between; a passkey signs what the connection is.
 */
export const relay: Rule = ({ policy }) => {
  if (requiresKey(policy)) return [];
  const open = waysWith(policy, (item) => !isBoundToConnection(item)).find((way) => asked(way).length > 0);
  return open === undefined
    ? []
    : [
        advice(
          "relay",
          "warning",
          "gates",
          "everything on a way through can be passed on by somebody in between while the member is there: only `key`, which pins the server, and gates that answer for one connection (`passkey`, `question`) hold against that",
        ),
      ];
};

/** More guesses than one in fifty thousand per handshake. */
const guessesMax = 1 / 50_000;

export const manyAttempts: Rule = ({ policy }) => {
  const found: Advice[] = [];
  const { attempts } = policy.onFailure;
  visitGates(policy.gates, (at, item) => {
    const values = among(item);
    // The number behind a link is not counted here: three wrong ones use it up.
    if (values === null || values < 100_000 || attempts / values <= guessesMax) return;
    const message = `${attempts} attempts at one of ${Math.round(values)} values: one handshake in ${Math.round(values / attempts)} guesses right`;
    found.push(advice("many-attempts", "warning", `gates.${at}`, message));
  });
  return found;
};

/** All of it is for the person's good, and shows the server nothing of who they are. */
const worthOf: Readonly<Record<string, string>> = {
  none: "nothing is asked, and most people do not look at what they need not answer",
  agree: "most people agree without looking; `type` and `pick` make them look",
  type: "shows that somebody has the words of this server; who reads them from the screen has compared nothing",
  pick: "one of five can be guessed: it shows that somebody looked, and nothing of who they are",
};

export const identWorth: Rule = ({ gates }) =>
  gates
    .filter(({ gate }) => gate === "ident")
    .map(({ at, config }) => advice("ident-nobody", "info", `gates.${at}`, worthOf[String(config.ask)] ?? ""));

export const identEarly: Rule = ({ gates, policy }) =>
  gates
    .filter(({ gate, at }) => gate === "ident" && !isBehindProof(policy.gates, at))
    .map(({ at }) =>
      advice(
        "ident-early",
        "warning",
        `gates.${at}`,
        "only words and the picture of the server's key are shown here: a member's sign is shown behind `key` and a gate that only the member passes",
      ),
    );

export const notEnrolled: Rule = ({ policy, facts }) => {
  const { socketEnrolled } = facts;
  if (socketEnrolled === undefined) return [];
  const found: Advice[] = [];
  const look = (under: string, items: readonly Item[]) =>
    visitGates(items, (at, item) => {
      const need = gateOf(item).needs(item);
      if (need?.of === "socket" && !socketEnrolled.includes(need.gate))
        found.push(
          advice("not-enrolled", "warning", `${under}.${at}`, "nobody passes: the socket has nothing enrolled for it"),
        );
    });
  look("gates", policy.gates);
  for (const [rule, { gates }] of policy.during.entries()) look(`during.${rule}.gates`, gates);
  return found;
};

import { dialogueOf, gateOf } from "../gates/registry.ts";
import { visitGates } from "../items.ts";
import { type Advice, advice, type Rule } from "./advice.ts";

/** What a person needs to look at another device and type six digits. */
const answerShortMs = 15_000;
const answerLongMs = 2 * 60_000;
/** Mail takes its time. */
const waitShortMs = 2 * 60_000;
const handshakeLongMs = 30 * 60_000;

export const deadlines: Rule = ({ policy }) => {
  const { answerMs, waitMs, handshakeMs } = policy.deadlines;
  let asks = false;
  let waits = false;
  visitGates(policy.gates, (_at, item) => {
    const { place } = gateOf(item);
    const dialogue = dialogueOf(item);
    asks ||= place === "anywhere" && dialogue !== "waits";
    waits ||= dialogue === "waits";
  });
  const found: Advice[] = [];
  if (asks && policy.mode === "prompted" && answerMs < answerShortMs)
    found.push(
      advice("answer-short", "warning", "deadlines.answer", "a person hardly finds and types a code in that time"),
    );
  if (asks && answerMs > answerLongMs)
    found.push(
      advice(
        "answer-long",
        "info",
        "deadlines.answer",
        "the longer a question stands, the longer somebody can talk its answer out of the member",
      ),
    );
  if (waits && waitMs < waitShortMs)
    found.push(advice("wait-short", "warning", "deadlines.wait", "messages are often longer on their way than that"));
  if (handshakeMs > handshakeLongMs)
    found.push(
      advice("handshake-long", "info", "deadlines.handshake", "each connection that is not let in may stay that long"),
    );
  return found;
};

export const sealing: Rule = ({ policy: { encryption, messaging } }) => {
  if (encryption.session === "required") return [];
  return messaging.history === null
    ? [
        advice(
          "not-sealed",
          "info",
          "encryption.session",
          encryption.endToEnd === "required"
            ? "what the owner's program says to all is not sealed, nor is who speaks to whom: edges and bus can read that"
            : "messages are not sealed: edges and bus can read them",
        ),
      ]
    : [
        advice(
          "history-unsealed",
          "warning",
          "messaging.history",
          "messages are kept for who was away, and are not sealed on their way: edges and bus can read them",
        ),
      ];
};

export const suites: Rule = ({ policy: { encryption } }) =>
  encryption.session === "required" && encryption.suite === "any"
    ? [
        advice(
          "suite-any",
          "info",
          "encryption.suite",
          "one client without the post-quantum suite is enough: what is recorded of the socket while it is there opens to a quantum computer that may come",
        ),
      ]
    : [];

export const endToEnd: Rule = ({ policy: { encryption, messaging } }) => {
  if (encryption.endToEnd === "off") return [];
  const found: Advice[] = [];
  if (encryption.endToEnd === "allowed")
    found.push(
      advice(
        "end-to-end-optional",
        "info",
        "encryption.endToEnd",
        "a client that does not insist on it can be brought to speak so that the server reads it",
      ),
    );
  if (messaging.mode === "broadcast")
    found.push(
      advice(
        "end-to-end-broadcast",
        "info",
        "messaging.mode",
        "what is sealed to one recipient is given to everybody, who cannot open it and see how much it is",
      ),
    );
  return found;
};

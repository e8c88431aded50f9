import { requiresKey, requiresTicket } from "../policy.ts";
import { isOpening, waysWith } from "../ways.ts";
import { advice, type Rule } from "./advice.ts";

export const discoverable: Rule = ({ policy }) =>
  requiresKey(policy)
    ? []
    : [
        advice(
          "discoverable",
          "warning",
          "gates",
          requiresTicket(policy)
            ? "without `key` a client has to pin the server by other means: who sits between it and one that it does not know can take its ticket"
            : "without `key` anybody who finds the path may try the gates, the socket can be told from one that does not exist, and the handshake is protected from sniffers only",
        ),
      ];

/** A way on which nobody has to answer anything. */
export const openDoor: Rule = ({ policy }) => {
  if (waysWith(policy, isOpening).length === 0) return [];
  if (!requiresKey(policy)) {
    const who = policy.anonymous ? "anybody" : "anybody who claims a member's name";
    return [
      advice(
        "nobody-asked",
        "danger",
        "gates",
        `${who} is let in where they know the path: no gate has to be answered`,
      ),
    ];
  }
  return [
    advice(
      "holder-only",
      "warning",
      "gates",
      "whoever holds an app key is let in under any name: a key shows a holder, and not which one",
    ),
  ];
};

import { topOf, visitParts } from "../composition.ts";
import { gateOf } from "../gates/registry.ts";
import type { Policy } from "../policy.ts";
import { asked, waysWith } from "../ways.ts";
import { type Advice, advice, type Rule } from "./advice.ts";

/** A name is a claim until a gate of that member has passed, and a `when` is decided before any gate. */
export const claimedName: Rule = ({ policy }) => {
  const found: Advice[] = [];
  const unproving = waysWith(
    policy,
    (item) => gateOf(item).needs(item)?.of !== "member" && gateOf(item).bindsMember !== true,
  );
  visitParts(topOf(policy.gates), (at, item) => {
    if (!("when" in item) || item.when.member === undefined) return;
    const unproven = unproving.some(({ branches }) => branches.some((branch) => branch.at === at));
    found.push(
      unproven
        ? advice(
            "claimed-name",
            "danger",
            `gates.${at}`,
            "decided by a name that anybody can claim, and on a way through nothing proves it: whoever picks the name picks the branch",
          )
        : advice(
            "claimed-name",
            "info",
            `gates.${at}`,
            "decided by the name that is claimed when the handshake begins; who claims it is proven later, by the member's own gates",
          ),
    );
  });
  return found;
};

const why = {
  network: "an address proves nobody: everybody in that network, and who gets into it, passes with less",
  time: "at that time everybody passes with less",
  risk: "failures are counted per network: who has many networks is a low risk on each",
} as const;

/** A condition that makes it easier. */
export const relaxed: Rule = ({ policy }) => {
  const found: Advice[] = [];
  visitParts(topOf(policy.gates), (at, item) => {
    if (!("when" in item) || least(item.then) >= least(item.else)) return;
    const reasons = (["network", "time", "risk"] as const).filter((name) => item.when[name] !== undefined);
    if (reasons.length === 0) return;
    const message = `asks for less where the condition holds: ${reasons.map((name) => why[name]).join("; ")}`;
    found.push(advice("relaxed", "warning", `gates.${at}`, message));
  });
  return found;
};

/** How many answers it takes at least. */
function least(gates: Policy["gates"]): number {
  return Math.min(...waysWith({ gates }, () => true).map((way) => asked(way).length));
}

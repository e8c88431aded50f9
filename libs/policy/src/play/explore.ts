import { type GateItem, restsOn } from "../gates/registry.ts";
import type { Policy } from "../policy.ts";
import { devicesOf, type Way, waysThrough, waysWith } from "../ways.ts";
import type { Exploration } from "./result.ts";

const authenticator = "member-authenticator";

/** What gets lost, stolen or taken over, and what is passed with it. */
const holders: Readonly<Record<string, readonly string[]>> = {
  nothing: [],
  "an app key": ["app-key"],
  "the mailbox": ["mailbox"],
  "the phone number": ["phone"],
  "the unlocked phone": ["phone", "mailbox", authenticator],
  "the unlocked laptop": ["app-key", "mailbox", "answer-secret", "passkey"],
  "app key and mailbox": ["app-key", "mailbox"],
  "app key and phone number": ["app-key", "phone"],
  "laptop and phone": ["app-key", "mailbox", "answer-secret", "passkey", "phone", authenticator],
};

/**
 * All ways through a policy, and who of those that hold something of a member's gets in. Addresses and names are taken for known: they are no secrets
 * that stay. Everybody is taken to be where a condition suits them.
 */
export function explore(policy: Policy): Exploration {
  const { ways, more } = waysThrough(policy);
  return {
    ways: ways.map((way) => ({
      branches: [...way.branches],
      gates: way.steps.map(({ at, item }) => ({ at, gate: item.gate })),
      devices: devicesOf(way),
      authenticator: devicesOf(way).includes(authenticator),
    })),
    more,
    holders: Object.entries(holders).map(([holds, devices]) => {
      const isHeld = (item: GateItem) => devices.includes(restsOn(item) ?? "") || restsOn(item) === null;
      const passes = waysWith(policy, isHeld).length > 0;
      return {
        holds,
        devices: [...devices],
        passes,
        passesAuthenticator: passes && devices.includes(authenticator),
        lacks: passes ? [] : least(ways.map((way) => missing(way, devices))),
      };
    }),
  };
}

function missing(way: Way, held: readonly string[]): string[] {
  return devicesOf(way).filter((device) => !held.includes(device));
}

function least(lists: readonly string[][]): string[] {
  return lists.reduce((best, one) => (one.length < best.length ? one : best), lists[0] ?? []);
}

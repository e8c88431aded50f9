/**
 * What a policy means, said a second time and differently: over the list of leaves and their ancestors rather than by walking
 * down. Shares no code with the machine.
 */
import type { Facts } from "./arbitraries.ts";

type Node = Record<string, unknown>;
interface OracleLeaf {
  readonly at: string;
  readonly gate: string;
  readonly of: unknown;
  /** Positions of the groups above it, outermost first. */
  readonly above: readonly string[];
}

/** Gates that anybody can pass, whatever is enrolled. */
const needNothing = ["captcha"];

function whose({ gate, of }: Node): unknown {
  if (gate === "otp") return of;
  return needNothing.includes(String(gate)) ? null : "member";
}

export class Oracle {
  readonly leaves: OracleLeaf[] = [];
  readonly #groups = new Map<string, { kind: "anyOf" | "allOf"; children: string[] }>();
  readonly #top: string[];
  readonly #facts: Facts;

  constructor(facts: Facts) {
    this.#facts = facts;
    const items = JSON.parse(JSON.stringify(facts.policy.gates)) as Node[];
    this.#top = items.map((_, index) => String(index));
    const work = items.map((node, index) => ({ node, at: String(index), above: [] as string[] }));
    for (let next = work.shift(); next !== undefined; next = work.shift()) {
      const { node, at, above } = next;
      if (typeof node.gate === "string") {
        this.leaves.push({ at, gate: node.gate, of: whose(node), above });
        continue;
      }
      const kind = "anyOf" in node ? "anyOf" : "allOf";
      const children = node[kind] as Node[];
      this.#groups.set(at, { kind, children: children.map((_, index) => `${at}.${index}`) });
      work.push(...children.map((child, index) => ({ node: child, at: `${at}.${index}`, above: [...above, at] })));
    }
    this.leaves.sort((a, b) => compare(a.at, b.at));
  }

  /** The enrolled authenticator is owed, whatever the policy's branches say. */
  get enrolledOwed(): boolean {
    return this.#facts.member?.enrolled.includes("otp") === true;
  }

  describe(at: string): { gate: string; of: unknown } | undefined {
    if (at === "enrolled.otp") return this.enrolledOwed ? { gate: "otp", of: "member" } : undefined;
    return this.leaves.find((leaf) => leaf.at === at);
  }

  #can(leaf: OracleLeaf): boolean {
    if (leaf.gate === "path") return true;
    if (leaf.gate === "key") return this.#facts.keyId !== null;
    if (needNothing.includes(leaf.gate)) return true;
    const enrolled = leaf.of === "socket" ? this.#facts.socketEnrolled : (this.#facts.member?.enrolled ?? []);
    return enrolled.includes(leaf.gate);
  }

  /** Settles each position from the leaves upward: the longest positions first. */
  #evaluate(truth: (leaf: OracleLeaf) => boolean): Map<string, boolean> {
    const known = new Map(this.leaves.map((leaf) => [leaf.at, truth(leaf)]));
    const groups = [...this.#groups].sort(([a], [b]) => b.split(".").length - a.split(".").length);
    for (const [at, { kind, children }] of groups) {
      const count = children.filter((child) => known.get(child) === true).length;
      known.set(at, kind === "anyOf" ? count > 0 : count === children.length);
    }
    return known;
  }

  #passed(ok: ReadonlySet<string>): Map<string, boolean> {
    return this.#evaluate((leaf) => {
      if (leaf.gate === "path") return true;
      return leaf.gate === "key" ? this.#facts.keyId !== null : ok.has(leaf.at) && this.#can(leaf);
    });
  }

  #enrolledUsed(ok: ReadonlySet<string>): boolean {
    return (
      !this.enrolledOwed ||
      [...ok].some((at) => this.describe(at)?.gate === "otp" && this.describe(at)?.of === "member")
    );
  }

  /** Whether the leaves that the test itself reported as right are enough. */
  accepts(ok: ReadonlySet<string>): boolean {
    if (!this.#facts.policy.anonymous && this.#facts.member === null) return false;
    const passed = this.#passed(ok);
    return this.#top.every((at) => passed.get(at) === true) && this.#enrolledUsed(ok);
  }

  /** Nobody could ever be let in. */
  get hopeless(): boolean {
    return !this.accepts(new Set([...this.leaves.map(({ at }) => at), "enrolled.otp"]));
  }

  /** Positions that may be asked for once `ok` is known. */
  open(ok: ReadonlySet<string>): string[] {
    const passed = this.#passed(ok);
    const can = this.#evaluate((leaf) => this.#can(leaf));
    const current = this.#top.find((at) => passed.get(at) !== true);
    if (current === undefined) return this.#enrolledUsed(ok) ? [] : ["enrolled.otp"];
    return this.leaves
      .filter(({ at, above }) => [...above, at][0] === current)
      .filter(({ at, above }) => [...above, at].every((one) => passed.get(one) !== true && can.get(one) === true))
      .map(({ at }) => at);
  }
}

function compare(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  for (const [index, one] of left.entries()) {
    const other = right[index] ?? -1;
    if (one !== other) return one - other;
  }
  return left.length - right.length;
}

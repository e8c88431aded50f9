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

function whose({ gate, of, webhook }: Node): unknown {
  if (webhook !== undefined || gate === "approval") return "nobody";
  if (gate === "otp") return of;
  return needNothing.includes(String(gate)) ? null : "member";
}

type Kind = "anyOf" | "allOf" | "distinct" | "when";
interface OracleGroup {
  readonly kind: Kind;
  readonly children: readonly string[];
  readonly above: readonly string[];
}

/** What a gate is passed with, as the tests know it. */
const devices: Readonly<Record<string, string>> = { email: "mailbox", sms: "phone", call: "phone" };

export class Oracle {
  readonly leaves: OracleLeaf[] = [];
  readonly #groups = new Map<string, OracleGroup>();
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
      const kind = (["anyOf", "allOf", "distinct", "when"] as const).find((one) => one in node) ?? "allOf";
      const children =
        kind === "when"
          ? this.#branch(node, at)
          : (node[kind] as Node[]).map((child, index) => [`${at}.${index}`, child] as const);
      this.#groups.set(at, { kind, children: children.map(([place]) => place), above });
      work.push(...children.map(([place, child]) => ({ node: child, at: place, above: [...above, at] })));
    }
    this.leaves.sort((a, b) => compare(a.at, b.at));
  }

  /** The tests' own reading of a condition: they only generate some whose outcome they can tell. */
  #branch(node: Node, at: string): (readonly [string, Node])[] {
    const under = (name: "then" | "else") =>
      ((node[name] as Node[] | undefined) ?? []).map((child, index) => [`${at}.${name}.${index}`, child] as const);
    const { member, network, risk } = node.when as { member?: string[]; network?: string[]; risk?: string };
    const { name, address, risk: found } = this.#facts.circumstances;
    const answers: (boolean | null)[] = [];
    if (member !== undefined) answers.push(name !== null && member.includes(name));
    if (network !== undefined) answers.push(address === null ? null : address.startsWith("10."));
    if (risk !== undefined) {
      const order = ["low", "raised", "high"];
      const [is, least] = [order.indexOf(found ?? ""), order.indexOf(risk)];
      if (found === null) answers.push(null);
      else answers.push(risk === "low" ? is === 0 : is >= least);
    }
    if (answers.includes(false)) return under("else");
    return answers.includes(null) ? [...under("then"), ...under("else")] : under("then");
  }

  /** The enrolled authenticator is owed, whatever the policy's branches say. */
  get enrolledOwed(): boolean {
    return this.#facts.member?.enrolled.includes("otp") === true;
  }

  /** A proof of work is owed before anything else. */
  get workOwed(): boolean {
    return this.#facts.work && this.#facts.policy.mode === "prompted";
  }

  describe(at: string): { gate: string; of: unknown } | undefined {
    if (at === "before.work") return this.workOwed ? { gate: "captcha", of: null } : undefined;
    if (at === "enrolled.otp") return this.enrolledOwed ? { gate: "otp", of: "member" } : undefined;
    return this.leaves.find((leaf) => leaf.at === at);
  }

  /** Two gates within one `distinct` for which the same thing would have been used. */
  deviceOf(at: string): string {
    const { gate = "", of } = this.describe(at) ?? {};
    return needNothing.includes(gate) || gate === "question" ? at : (devices[gate] ?? `${String(of)} ${gate}`);
  }

  /** How many gates the ticket passes before the first question. */
  get ticketGates(): number {
    if (!this.#facts.ticket) return 0;
    const before = this.#facts.policy.before.ticket === "required" ? 1 : 0;
    return before + this.leaves.filter(({ gate }) => gate === "ticket").length;
  }

  #can(leaf: OracleLeaf): boolean {
    if (this.#facts.held.includes(leaf.gate)) return false;
    if (leaf.gate === "path") return true;
    if (leaf.gate === "key") return this.#facts.keyId !== null;
    if (needNothing.includes(leaf.gate)) return true;
    if (leaf.gate === "ticket") return this.#facts.ticket;
    if (leaf.of === "nobody") return true;
    const enrolled = leaf.of === "socket" ? this.#facts.socketEnrolled : (this.#facts.member?.enrolled ?? []);
    return enrolled.includes(leaf.gate);
  }

  /** Settles each position from the leaves upward: the longest positions first. Devices are left aside where `loose`. */
  #evaluate(truth: (leaf: OracleLeaf) => boolean, loose = false): Map<string, boolean> {
    const known = new Map(this.leaves.map((leaf) => [leaf.at, truth(leaf)]));
    const groups = [...this.#groups].sort(([, a], [, b]) => b.above.length - a.above.length);
    for (const [at, { kind, children }] of groups) {
      const count = children.filter((child) => known.get(child) === true).length;
      if (kind === "anyOf") known.set(at, count > 0);
      else if (kind === "distinct" && !loose) known.set(at, this.#someDistinct(at, truth, []));
      else known.set(at, count === children.length);
    }
    return known;
  }

  /** Tries every set of gates of the group: one is enough that holds `must`, else only `may`, and each device once. */
  #someDistinct(group: string, may: (leaf: OracleLeaf) => boolean, must: readonly string[]): boolean {
    const within = this.leaves.filter(({ above }) => above.includes(group));
    const free = within.filter((leaf) => !must.includes(leaf.at) && may(leaf));
    for (let bits = 0; bits < 2 ** free.length; bits += 1) {
      const chosen = new Set([...must, ...free.filter((_, index) => (bits >> index) % 2 === 1).map(({ at }) => at)]);
      const used = [...chosen].map((at) => this.deviceOf(at));
      if (new Set(used).size !== used.length) continue;
      if (this.#evaluate((leaf) => chosen.has(leaf.at), true).get(group) === true) return true;
    }
    return false;
  }

  #passed(ok: ReadonlySet<string>): Map<string, boolean> {
    return this.#evaluate((leaf) => {
      if (leaf.gate === "path") return true;
      if (leaf.gate === "ticket") return this.#facts.ticket;
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
    if (this.#facts.policy.before.ticket === "required" && !this.#facts.ticket) return false;
    if (this.workOwed && !ok.has("before.work")) return false;
    const passed = this.#passed(ok);
    return this.#top.every((at) => passed.get(at) === true) && this.#enrolledUsed(ok);
  }

  /** Nobody could ever be let in. */
  get hopeless(): boolean {
    const isEnrolledHeld = this.enrolledOwed && this.#facts.held.includes("otp");
    return (
      isEnrolledHeld || !this.accepts(new Set([...this.leaves.map(({ at }) => at), "enrolled.otp", "before.work"]))
    );
  }

  /** Positions that may be asked for once `ok` is known. */
  open(ok: ReadonlySet<string>): string[] {
    if (this.workOwed && !ok.has("before.work")) return ["before.work"];
    const passed = this.#passed(ok);
    const can = this.#evaluate((leaf) => this.#can(leaf));
    const current = this.#top.find((at) => passed.get(at) !== true);
    if (current === undefined) return this.#enrolledUsed(ok) ? [] : ["enrolled.otp"];
    return this.leaves
      .filter(({ at, above }) => [...above, at][0] === current)
      .filter(({ at, above }) => [...above, at].every((one) => passed.get(one) !== true && can.get(one) === true))
      .filter(({ at, above }) => above.every((group) => this.#isTurn(group, [...above, at], passed)))
      .filter(({ at, above }) => above.every((group) => this.#mayUse(group, at, ok)))
      .map(({ at }) => at);
  }

  /** The branch of a `when` is passed in its order. */
  #isTurn(group: string, line: readonly string[], passed: ReadonlyMap<string, boolean>): boolean {
    const { kind, children } = this.#groups.get(group) ?? { kind: "allOf", children: [] };
    if (kind !== "when") return true;
    return line.includes(children.find((child) => passed.get(child) !== true) ?? "");
  }

  #mayUse(group: string, at: string, ok: ReadonlySet<string>): boolean {
    if (this.#groups.get(group)?.kind !== "distinct") return true;
    const used = this.leaves
      .filter(({ above, at: one }) => above.includes(group) && ok.has(one))
      .map((leaf) => leaf.at);
    const can = (leaf: OracleLeaf) => this.#can(leaf);
    return this.#someDistinct(group, can, [...used, at]);
  }
}

/** In the order of the document: `then` before `else`, numbers by their value. */
function compare(a: string, b: string): number {
  const rank = (part: string) => (part === "then" ? -2 : part === "else" ? -1 : Number(part));
  const [left, right] = [a.split(".").map(rank), b.split(".").map(rank)];
  for (const [index, one] of left.entries()) {
    const other = right[index] ?? -3;
    if (one !== other) return one - other;
  }
  return left.length - right.length;
}

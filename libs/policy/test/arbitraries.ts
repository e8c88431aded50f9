import fc from "fast-check";
import { type Policy, parsePolicy, type Risk } from "../src/mod.ts";

/** What a handshake begins with, as the tests generate it. */
export interface Facts {
  readonly policy: Policy;
  readonly keyId: string | null;
  readonly member: { readonly id: string; readonly enrolled: string[] } | null;
  readonly socketEnrolled: string[];
  /** Null: not known, but for the name: nobody's. */
  readonly circumstances: { readonly name: string | null; readonly address: string | null; readonly risk: Risk | null };
  readonly ticket: boolean;
  /** Asked of the prompted only. */
  readonly work: boolean;
  readonly held: readonly string[];
}

export function policyOf(document: object): Policy {
  const parsed = parsePolicy(document);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.policy;
}

const device: fc.Arbitrary<object> = fc.oneof(
  { arbitrary: fc.record({ gate: fc.constant("otp"), of: fc.constantFrom("member", "socket") }), weight: 3 },
  { arbitrary: fc.record({ gate: fc.constantFrom("email", "sms"), by: fc.constantFrom("code", "link") }), weight: 2 },
  { arbitrary: fc.constant({ gate: "call", by: "code" }), weight: 1 },
  { arbitrary: fc.record({ gate: fc.constant("captcha"), cost: fc.constantFrom("low", "high") }), weight: 1 },
  { arbitrary: fc.constant({ gate: "external", webhook: "h1" }), weight: 1 },
  { arbitrary: fc.constant({ gate: "question", kind: "custom", webhook: "h1" }), weight: 1 },
  { arbitrary: fc.record({ gate: fc.constant("approval"), quorum: fc.integer({ min: 1, max: 5 }) }), weight: 1 },
);
const leaf = fc.oneof(
  { arbitrary: device, weight: 5 },
  { arbitrary: fc.constant<object>({ gate: "ticket" }), weight: 1 },
);

/** Small, so that the oracle can try every set of its gates. */
const distinct = fc
  .array(
    fc.oneof({ arbitrary: device, weight: 2 }, fc.record({ anyOf: fc.array(device, { minLength: 2, maxLength: 3 }) })),
    {
      minLength: 2,
      maxLength: 3,
    },
  )
  .map((items) => ({ distinct: items }));

const conditions = fc
  .record(
    {
      member: fc.constantFrom(["bob"], ["eve", "bob"], ["eve"]),
      network: fc.constant(["10.0.0.0/8"]),
      risk: fc.constantFrom("low", "raised", "high"),
    },
    { requiredKeys: [] },
  )
  .filter((all) => Object.keys(all).length > 0);

function item(depth: number): fc.Arbitrary<object> {
  if (depth === 4) return leaf;
  const children = fc.array(item(depth + 1), { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { arbitrary: leaf, weight: 3 },
    { arbitrary: fc.record({ anyOf: children }), weight: 2 },
    { arbitrary: fc.record({ allOf: children }), weight: 1 },
    { arbitrary: depth < 3 ? distinct : leaf, weight: 2 },
    {
      arbitrary: fc.record({ when: conditions, then: children, else: fc.option(children, { nil: undefined }) }),
      weight: 2,
    },
  );
}

export const documents = fc
  .record({
    path: fc.boolean(),
    key: fc.boolean(),
    items: fc.array(item(1), { minLength: 1, maxLength: 3 }),
    mode: fc.constantFrom("prompted", "offered"),
    attempts: fc.integer({ min: 1, max: 6 }),
    answer: fc.constantFrom("5s", "30s"),
    handshake: fc.constantFrom("40s", "2m"),
    wait: fc.constantFrom("30s", "40s"),
    anonymous: fc.boolean(),
    before: fc.oneof(
      { arbitrary: fc.constant({}), weight: 3 },
      { arbitrary: fc.constant({ ticket: "required" }), weight: 1 },
    ),
  })
  .map(({ path, key, items, mode, attempts, answer, handshake, wait, anonymous, before }) => ({
    gates: [...(path ? [{ gate: "path" }] : []), ...(key ? [{ gate: "key" }] : []), ...items],
    mode,
    onFailure: { attempts },
    deadlines: { answer, wait, handshake },
    anonymous,
    before,
  }))
  .filter((document) => parsePolicy(document).ok);

const mostly = <T>(usual: T, rare: T) =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 19 }, { arbitrary: fc.constant(rare), weight: 1 });

export const facts: fc.Arbitrary<Facts> = fc.record({
  policy: documents.map(policyOf),
  keyId: mostly<string | null>("k1", null),
  member: fc.oneof(
    { arbitrary: fc.constant<Facts["member"]>({ id: "bob", enrolled: ["otp", "email", "sms", "call"] }), weight: 14 },
    { arbitrary: fc.constant<Facts["member"]>({ id: "bob", enrolled: ["email"] }), weight: 3 },
    { arbitrary: fc.constant<Facts["member"]>({ id: "bob", enrolled: [] }), weight: 1 },
    { arbitrary: fc.constant<Facts["member"]>(null), weight: 1 },
  ),
  socketEnrolled: mostly<string[]>(["otp"], []),
  circumstances: fc.record({
    name: fc.constantFrom("bob", "mallory", null),
    address: fc.constantFrom("10.1.2.3", "192.0.2.1", null),
    risk: fc.constantFrom("low" as const, "raised" as const, "high" as const, null),
  }),
  ticket: fc.oneof({ arbitrary: fc.constant(true), weight: 3 }, { arbitrary: fc.constant(false), weight: 1 }),
  work: mostly(false, true),
  held: mostly<string[]>([], ["otp"]),
});

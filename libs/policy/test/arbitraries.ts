import fc from "fast-check";
import { type Policy, parsePolicy } from "../src/mod.ts";

/** What a handshake begins with, as the tests generate it. */
export interface Facts {
  readonly policy: Policy;
  readonly keyId: string | null;
  readonly member: { readonly id: string; readonly enrolled: string[] } | null;
  readonly socketEnrolled: string[];
}

export function policyOf(document: object): Policy {
  const parsed = parsePolicy(document);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.policy;
}

const leaf: fc.Arbitrary<object> = fc.oneof(
  { arbitrary: fc.record({ gate: fc.constant("otp"), of: fc.constantFrom("member", "socket") }), weight: 3 },
  { arbitrary: fc.record({ gate: fc.constantFrom("email", "sms"), by: fc.constantFrom("code", "link") }), weight: 2 },
  { arbitrary: fc.constant({ gate: "call", by: "code" }), weight: 1 },
  { arbitrary: fc.record({ gate: fc.constant("captcha"), cost: fc.constantFrom("low", "high") }), weight: 1 },
);

function item(depth: number): fc.Arbitrary<object> {
  if (depth === 4) return leaf;
  const children = fc.array(item(depth + 1), { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { arbitrary: leaf, weight: 3 },
    { arbitrary: fc.record({ anyOf: children }), weight: 2 },
    { arbitrary: fc.record({ allOf: children }), weight: 1 },
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
  })
  .map(({ path, key, items, mode, attempts, answer, handshake, wait, anonymous }) => ({
    gates: [...(path ? [{ gate: "path" }] : []), ...(key ? [{ gate: "key" }] : []), ...items],
    mode,
    onFailure: { attempts },
    deadlines: { answer, wait, handshake },
    anonymous,
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
});

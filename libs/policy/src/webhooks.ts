import { documentPartsOf, type Item } from "./composition.ts";
import { configOf } from "./gates/registry.ts";
import type { Policy } from "./policy.ts";

/** Which webhooks a policy speaks to, before a session and while it lives; `path` as in an issue, `gates.1.anyOf.0.webhook`. */
export function webhooksOf({ gates, during }: Policy): { readonly path: string; readonly webhook: string }[] {
  const found: { path: string; webhook: string }[] = [];
  const walk = (item: Item, path: string) => {
    if (!("gate" in item)) {
      for (const part of documentPartsOf(item)) walk(part.item, [path, ...part.path].join("."));
      return;
    }
    const { webhook } = configOf(item);
    if (typeof webhook === "string") found.push({ path: `${path}.webhook`, webhook });
  };
  for (const [index, item] of gates.entries()) walk(item, `gates.${index}`);
  for (const [rule, { gates: again }] of during.entries())
    for (const [index, item] of again.entries()) walk(item, `during.${rule}.gates.${index}`);
  return found;
}

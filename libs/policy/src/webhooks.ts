import { configOf } from "./gates/registry.ts";
import { visitGates } from "./items.ts";
import type { Policy } from "./policy.ts";

/** Which webhooks the gates of a policy speak to; `path` as in an issue, `gates.1.webhook`. */
export function webhooksOf(policy: Policy): { readonly path: string; readonly webhook: string }[] {
  const found: { path: string; webhook: string }[] = [];
  visitGates(policy.gates, (at, item) => {
    const { webhook } = configOf(item);
    if (typeof webhook === "string") found.push({ path: `gates.${at}.webhook`, webhook });
  });
  return found;
}

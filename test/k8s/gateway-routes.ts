import type { IncomingHttpHeaders } from "node:http";
import { gateway, httpRoute } from "./gateway-schemas.ts";
import type { Manifest } from "./kustomize.ts";

type Rule = ReturnType<typeof httpRoute.parse>["rules"][number];

/** Of which listener a request is: that with its host's very name, else that with the longest wildcard (Gateway API, `Listener.hostname`). */
function listenerOf(manifests: readonly Manifest[], host: string): string | null {
  const name = host.toLowerCase().replace(/:\d*$/, "");
  const fitting = manifests
    .filter(({ kind }) => kind === "Gateway")
    .flatMap(({ spec }) => gateway.parse(spec).listeners)
    .filter(({ hostname }) => hostname === name || (hostname.startsWith("*.") && name.endsWith(hostname.slice(1))))
    .toSorted(
      (a, b) => Number(b.hostname === name) - Number(a.hostname === name) || b.hostname.length - a.hostname.length,
    );
  return fitting[0]?.name ?? null;
}

/** To which Service a Gateway leads a request; null: to none. Of the rules that fit, that with the most headers (`HTTPRoute.rules.matches`). */
export function serviceFor(manifests: readonly Manifest[], headers: IncomingHttpHeaders): string | null {
  const listener = listenerOf(manifests, headers.host ?? "");
  const headersOf = ({ matches: [match] = [] }: Rule) => match?.headers ?? [];
  const [rule] = manifests
    .filter(({ kind }) => kind === "HTTPRoute")
    .map(({ spec }) => httpRoute.parse(spec))
    .filter(({ parentRefs }) => parentRefs.some(({ sectionName }) => sectionName === listener))
    .flatMap(({ rules }) => rules)
    .filter((each) => headersOf(each).every(({ name, value }) => headers[name.toLowerCase()] === value))
    .toSorted((a, b) => headersOf(b).length - headersOf(a).length);
  return rule?.backendRefs[0]?.name ?? null;
}

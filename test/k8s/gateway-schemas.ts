import { z } from "zod";

const name = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
const hostname = z.string().regex(/^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+$/);
const port = z.int().min(1).max(65_535);
const metadata = z.looseObject({ name });
const gatewayGroup = "gateway.networking.k8s.io";
const envoyGroup = "gateway.envoyproxy.io";
const targetRefs = z
  .array(z.strictObject({ group: z.literal(gatewayGroup), kind: z.literal("Gateway"), name }))
  .length(1);

export const gateway = z.strictObject({
  gatewayClassName: name,
  infrastructure: z.strictObject({
    parametersRef: z.strictObject({ group: z.literal(envoyGroup), kind: z.literal("EnvoyProxy"), name }),
  }),
  listeners: z.array(
    z.strictObject({
      name,
      // Without TLS, paths and cookies cross the network readable.
      protocol: z.literal("HTTPS"),
      port,
      hostname,
      tls: z.strictObject({ certificateRefs: z.array(z.strictObject({ name })).length(1) }),
    }),
  ),
});

export const httpRoute = z.strictObject({
  parentRefs: z.array(z.strictObject({ name, sectionName: name })),
  rules: z.array(
    z.strictObject({
      matches: z
        .array(z.strictObject({ headers: z.array(z.strictObject({ name: z.string(), value: z.string() })).min(1) }))
        .length(1)
        .optional(),
      backendRefs: z.array(z.strictObject({ name, port })).length(1),
    }),
  ),
});

const envoyProxy = z.strictObject({
  telemetry: z.strictObject({ accessLog: z.strictObject({ disable: z.literal(true) }) }),
});

const clientTrafficPolicy = z.strictObject({
  targetRefs,
  path: z.strictObject({ escapedSlashesAction: z.literal("KeepUnchanged"), disableMergeSlashes: z.literal(true) }),
});

const backendTrafficPolicy = z.strictObject({
  targetRefs,
  timeout: z.strictObject({ http: z.strictObject({ connectionIdleTimeout: z.string().regex(/^\d{1,3}s$/) }) }),
});

/**
 * What we use of Gateway API 1.6 and Envoy Gateway 1.9, by version and kind: no package has the schemas of both. Strict, because a cluster drops a field
 * that it does not know.
 */
export const gatewaySchemas: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  [
    [`${gatewayGroup}/v1`, "Gateway", gateway] as const,
    [`${gatewayGroup}/v1`, "HTTPRoute", httpRoute] as const,
    [`${envoyGroup}/v1alpha1`, "EnvoyProxy", envoyProxy] as const,
    [`${envoyGroup}/v1alpha1`, "ClientTrafficPolicy", clientTrafficPolicy] as const,
    [`${envoyGroup}/v1alpha1`, "BackendTrafficPolicy", backendTrafficPolicy] as const,
  ].map(([apiVersion, kind, spec]) => [
    `${apiVersion}/${kind}`,
    z.strictObject({ apiVersion: z.literal(apiVersion), kind: z.literal(kind), metadata, spec }),
  ]),
);

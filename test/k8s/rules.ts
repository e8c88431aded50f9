import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { Secret } from "kubernetes-models/v1/Secret";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import { z } from "zod";
import { gateway, gatewaySchemas, httpRoute } from "./gateway-schemas.ts";
import type { Manifest } from "./kustomize.ts";

const models: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  "v1/ConfigMap": ConfigMap,
  "v1/Namespace": Namespace,
  "v1/Secret": Secret,
  "v1/Service": Service,
  "v1/ServiceAccount": ServiceAccount,
  "apps/v1/Deployment": Deployment,
  "apps/v1/StatefulSet": StatefulSet,
  "autoscaling/v2/HorizontalPodAutoscaler": HorizontalPodAutoscaler,
  "networking.k8s.io/v1/NetworkPolicy": NetworkPolicy,
  "policy/v1/PodDisruptionBudget": PodDisruptionBudget,
};

const resources = z.object({ cpu: z.string(), memory: z.string() });
const probe = z.looseObject({ periodSeconds: z.number().optional() });
const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  resources: z.object({ requests: resources, limits: resources }).optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  securityContext: z
    .looseObject({
      allowPrivilegeEscalation: z.boolean().optional(),
      readOnlyRootFilesystem: z.boolean().optional(),
      privileged: z.boolean().optional(),
      capabilities: z
        .looseObject({ drop: z.array(z.string()).optional(), add: z.array(z.string()).optional() })
        .optional(),
    })
    .optional(),
  envFrom: z
    .array(
      z.looseObject({
        configMapRef: z.object({ name: z.string() }).optional(),
        secretRef: z.object({ name: z.string() }).optional(),
      }),
    )
    .optional(),
});
const workload = z.looseObject({
  selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
  template: z.looseObject({
    metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
    spec: z.looseObject({
      automountServiceAccountToken: z.boolean().optional(),
      hostNetwork: z.boolean().optional(),
      hostPID: z.boolean().optional(),
      securityContext: z
        .looseObject({
          runAsNonRoot: z.boolean().optional(),
          runAsUser: z.number().optional(),
          seccompProfile: z.looseObject({ type: z.string() }).optional(),
        })
        .optional(),
      containers: z.array(container),
      initContainers: z.array(container).optional(),
    }),
  }),
});

export type Workload = z.infer<typeof workload>;

/** Everything that is wrong with a deployment, one line each: against the schema of Kubernetes, and against what we ask of it. */
export function problemsOf(manifests: readonly Manifest[]): string[] {
  return [...manifests.flatMap(againstSchema), ...manifests.flatMap(againstPolicy), ...together(manifests)];
}

function nameOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}

function againstSchema(manifest: Manifest): string[] {
  const type = `${manifest.apiVersion}/${manifest.kind}`;
  const schema = gatewaySchemas[type];
  if (schema !== undefined) {
    const { error } = schema.safeParse(manifest);
    return error === undefined ? [] : [`${nameOf(manifest)}: ${z.prettifyError(error)}`];
  }
  const model = models[type];
  if (model === undefined) return [`${nameOf(manifest)}: ${manifest.apiVersion} has no schema here`];
  try {
    new model(manifest as never).validate();
    return [];
  } catch (error) {
    return [`${nameOf(manifest)}: ${error instanceof Error ? error.message : error}`];
  }
}

export const isWorkload = ({ kind }: Manifest): boolean => kind === "Deployment" || kind === "StatefulSet";
export const workloadOf = (manifest: Manifest): Workload => workload.parse(manifest.spec);

function againstPolicy(manifest: Manifest): string[] {
  if (!isWorkload(manifest)) return [];
  const parsed = workload.safeParse(manifest.spec);
  if (!parsed.success) return [`${nameOf(manifest)}: ${z.prettifyError(parsed.error)}`];
  const { spec } = parsed.data.template;
  const { securityContext: pod = {} } = spec;
  const found: [boolean, string][] = [
    [pod.runAsNonRoot === true && (pod.runAsUser ?? 0) > 0, "may run as root"],
    [pod.seccompProfile?.type === "RuntimeDefault", "has no seccomp profile"],
    [spec.automountServiceAccountToken === false, "gets a token of the cluster's API"],
    [spec.hostNetwork !== true && spec.hostPID !== true, "shares the node's network or processes"],
  ];
  for (const { name, image, resources, livenessProbe, readinessProbe, securityContext: own = {} } of [
    ...spec.containers,
    ...(spec.initContainers ?? []),
  ]) {
    found.push(
      [own.allowPrivilegeEscalation === false && own.privileged !== true, `${name} may gain privileges`],
      [own.readOnlyRootFilesystem === true, `${name} can write to its image`],
      [
        own.capabilities?.drop?.includes("ALL") === true && own.capabilities.add === undefined,
        `${name} keeps capabilities`,
      ],
      [resources !== undefined, `${name} has no requests or no limits`],
      [livenessProbe !== undefined && readinessProbe !== undefined, `${name} has no probes`],
      [!image.endsWith(":latest"), `${name} is whatever was built last`],
    );
  }
  return found.filter(([isSo]) => !isSo).map(([, problem]) => `${nameOf(manifest)}: ${problem}`);
}

/** What no manifest says by itself. */
function together(manifests: readonly Manifest[]): string[] {
  const of = (kind: string) => manifests.filter((each) => each.kind === kind);
  const names = (kind: string) => new Set(of(kind).map(({ metadata }) => metadata.name));
  const problems: string[] = [];
  for (const deployment of of("Deployment")) {
    const { name } = deployment.metadata;
    for (const kind of ["PodDisruptionBudget", "HorizontalPodAutoscaler", "ServiceAccount"])
      if (!names(kind).has(name)) problems.push(`Deployment/${name}: there is no ${kind} for it`);
    const { selector, template } = workloadOf(deployment);
    const isPicked = Object.entries(selector.matchLabels).every(
      ([key, value]) => template.metadata.labels[key] === value,
    );
    if ("replicas" in (deployment.spec as object))
      problems.push(`Deployment/${name}: it says how many there are, against its autoscaler`);
    if (!isPicked) problems.push(`Deployment/${name}: it does not pick its own pods`);
    const configs = template.spec.containers.flatMap(({ envFrom = [] }) =>
      envFrom.map(({ configMapRef }) => configMapRef?.name),
    );
    for (const config of configs)
      if (config !== undefined && !names("ConfigMap").has(config))
        problems.push(`Deployment/${name}: there is no ConfigMap ${config}`);
  }
  for (const route of of("HTTPRoute")) {
    const { parentRefs = [], rules = [] } = httpRoute.safeParse(route.spec).data ?? {};
    for (const { name, sectionName } of parentRefs) {
      const parent = of("Gateway").find(({ metadata }) => metadata.name === name);
      const listeners = gateway.safeParse(parent?.spec).data?.listeners ?? [];
      if (!listeners.some((each) => each.name === sectionName))
        problems.push(`${nameOf(route)}: there is no listener ${sectionName} of a Gateway ${name}`);
    }
    for (const { name } of rules.flatMap(({ backendRefs }) => backendRefs))
      if (!names("Service").has(name)) problems.push(`${nameOf(route)}: there is no Service ${name}`);
  }
  for (const { metadata, spec } of of("Gateway"))
    if (!names("EnvoyProxy").has(gateway.safeParse(spec).data?.infrastructure.parametersRef.name ?? ""))
      problems.push(`Gateway/${metadata.name}: nothing says that it logs no path`);
  const denies = of("NetworkPolicy").some(({ spec }) => {
    const { podSelector, policyTypes, ingress, egress } = spec as Record<string, unknown>;
    return (
      JSON.stringify(podSelector) === "{}" &&
      JSON.stringify(policyTypes) === '["Ingress","Egress"]' &&
      !ingress &&
      !egress
    );
  });
  if (!denies) problems.push("nothing denies what no NetworkPolicy allows");
  const namespaces = new Set(
    manifests.filter(({ kind }) => kind !== "Namespace").map(({ metadata }) => metadata.namespace),
  );
  if (namespaces.size !== 1 || namespaces.has(undefined)) problems.push("not everything is in one namespace");
  return problems;
}

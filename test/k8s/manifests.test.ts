import { apiConfig } from "@portcullis/api";
import { type ServiceName, services } from "@portcullis/contracts";
import { edgeConfig } from "@portcullis/edge";
import { factorsConfig } from "@portcullis/factors";
import { identityConfig } from "@portcullis/identity";
import { keysConfig } from "@portcullis/keys";
import { notifyConfig } from "@portcullis/notify";
import { distributedConfig, distributedConfigOf } from "@portcullis/platform";
import { type ConfigDefinition, type Options, readConfig } from "@portcullis/runtime";
import { beforeAll, describe, expect, test } from "vitest";
import { serviceFor } from "./gateway-routes.ts";
import { buildOverlay, type Manifest } from "./kustomize.ts";
import { isWorkload, problemsOf, workloadOf } from "./rules.ts";

describe.each(["dev", "prod"])("the overlay %s", (overlay) => {
  let manifests: Manifest[];
  beforeAll(async () => {
    const built = await buildOverlay(overlay);
    if (built === null && process.env.CI === "true")
      throw new Error("neither kubectl, kustomize nor Go is here to build the manifests with");
    manifests = built ?? [];
    if (built === null)
      console.warn("manifests: skipped, because neither kubectl, kustomize nor Go is here to build them with");
  }, 240_000);
  const need = (skip: () => void) => {
    if (manifests.length === 0) skip();
  };
  const find = (kind: string, name: string) => {
    const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
    if (found === undefined) throw new Error(`there is no ${kind}/${name}`);
    return found;
  };
  const containerOf = (name: string) => {
    const [container] = workloadOf(find("Deployment", name)).template.spec.containers;
    if (container === undefined) throw new Error("there is no container");
    return container;
  };

  const settings = () => find("ConfigMap", "settings").data ?? {};

  test("is what Kubernetes takes and what we ask of it", ({ skip }) => {
    need(skip);
    expect(problemsOf(manifests)).toEqual([]);
  });

  test("has every service, each with its own secret and told no more than it needs", ({ skip }) => {
    need(skip);
    const stores = {
      identity: ["redis", "mongodb"],
      factors: ["redis", "mongodb"],
      keys: ["redis", "mongodb"],
      notify: ["redis"],
    };
    for (const service of services) {
      const { envFrom = [] } = containerOf(service);
      const configs = envFrom.flatMap(({ configMapRef }) => (configMapRef === undefined ? [] : [configMapRef.name]));
      expect(configs).toEqual(["settings", ...((stores as Record<string, string[]>)[service] ?? [])]);
      const secrets = envFrom.flatMap(({ secretRef }) => (secretRef === undefined ? [] : [secretRef.name]));
      expect(secrets).toHaveLength(1);
      // kustomize puts a hash of what is in it behind the name of a secret that it has made.
      expect(secrets[0]).toMatch(new RegExp(`^${service}(-[a-z0-9]{10})?$`));
    }
    expect(manifests.filter(isWorkload).filter(({ kind }) => kind === "Deployment")).toHaveLength(services.length);
  });

  test("tells services nothing that nobody reads, and with their secrets each what it needs", ({ skip }) => {
    need(skip);
    const definitions: Record<ServiceName, ConfigDefinition<Options>> = {
      edge: edgeConfig,
      api: apiConfig,
      identity: identityConfig,
      factors: factorsConfig,
      keys: keysConfig,
      notify: notifyConfig,
    };
    const read = [distributedConfig, ...Object.values(definitions)].flatMap(({ options }) => Object.values(options));
    const configured = manifests
      .filter(({ kind }) => kind === "ConfigMap")
      .flatMap(({ data = {} }) => Object.keys(data));
    for (const name of configured) expect(read.map(({ env }) => env)).toContain(name);
    if (overlay === "prod") return;
    for (const service of services) {
      const { envFrom = [] } = containerOf(service);
      const told: Record<string, string> = {};
      for (const { configMapRef, secretRef } of envFrom) {
        if (configMapRef !== undefined) Object.assign(told, find("ConfigMap", configMapRef.name).data);
        const secret = secretRef === undefined ? {} : find("Secret", secretRef.name).data;
        for (const [name, text] of Object.entries(secret ?? {}))
          told[name] = Buffer.from(text, "base64").toString("utf8");
      }
      expect(() => readConfig(distributedConfigOf(service), told)).not.toThrow();
      expect(() => readConfig(definitions[service], told)).not.toThrow();
    }
  });

  test("holds no secret but those that were made for it", ({ skip }) => {
    need(skip);
    const secrets = manifests.filter(({ kind }) => kind === "Secret");
    const certificates = secrets
      .filter(({ type }) => type === "kubernetes.io/tls")
      .map(({ metadata }) => metadata.name);
    expect(certificates).toEqual(overlay === "dev" ? ["api-tls", "sockets-tls"] : []);
    expect(secrets.length - certificates.length).toBe(overlay === "dev" ? services.length + 1 : 0);
    const rest = JSON.stringify(manifests.filter(({ kind }) => kind !== "Secret"));
    expect(rest).not.toMatch(/_KEY"|PASSWORD|TOKEN":/);
  });

  test("has one address for a socket: upgrades are for edges and everything else for the API, whatever is asked for", ({
    skip,
  }) => {
    need(skip);
    const { PUBLIC_URL = "", SOCKETS_URL = "", DOMAIN = "" } = settings();
    const owners = new URL(PUBLIC_URL).host;
    const sockets = new URL(SOCKETS_URL).host;
    const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
    for (const host of [sockets, `chat.${DOMAIN}`, `nobody.${DOMAIN}`]) {
      expect([host, serviceFor(manifests, { host, ...upgrade })]).toEqual([host, "edge"]);
      // No case of letters may lead it astray.
      expect(serviceFor(manifests, { host: host.toUpperCase(), ...upgrade, upgrade: "WebSocket" })).toBe("edge");
      expect([host, serviceFor(manifests, { host })]).toEqual([host, "api"]);
    }
    expect(serviceFor(manifests, { host: owners })).toBe("api");
    expect(serviceFor(manifests, { host: `evil${sockets}` })).toBeNull();
    expect(serviceFor(manifests, { host: "elsewhere.example" })).toBeNull();
    expect(manifests.filter(({ kind }) => kind === "Ingress")).toEqual([]);
  });

  test("believes a proxy's word of the client, and lets it go of a connection first", ({ skip }) => {
    need(skip);
    const { TRUSTED_PROXIES = "", HTTP_KEEP_ALIVE_TIMEOUT = "" } = settings();
    expect(TRUSTED_PROXIES).not.toBe("");
    const { timeout } = find("BackendTrafficPolicy", "portcullis").spec as {
      timeout: { http: { connectionIdleTimeout: string } };
    };
    expect(Number.parseInt(HTTP_KEEP_ALIVE_TIMEOUT, 10)).toBeGreaterThan(
      Number.parseInt(timeout.http.connectionIdleTimeout, 10),
    );
  });

  test("lets sessions go on while pods come and go", ({ skip }) => {
    need(skip);
    for (const service of services) {
      const { strategy, template } = find("Deployment", service).spec as {
        strategy: unknown;
        template: { spec: { terminationGracePeriodSeconds: number } };
      };
      expect(strategy).toEqual({ rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
      expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(20);
      expect(JSON.stringify(containerOf(service).lifecycle)).toContain("preStop");
      // What /readyz asks may take 2 s to answer.
      expect(containerOf(service).readinessProbe).toMatchObject({ timeoutSeconds: 3 });
    }
    if (overlay === "prod")
      for (const service of services) {
        const { minReplicas } = find("HorizontalPodAutoscaler", service).spec as { minReplicas: number };
        expect(minReplicas).toBeGreaterThan(1);
      }
  });

  test("gives identity the memory that strangers can have it use by signing in", ({ skip }) => {
    need(skip);
    const limit = containerOf("identity").resources?.limits?.memory ?? "";
    expect(limit).toMatch(/^[0-9]+Mi$/);
    // Four hashes of 64 MiB at once (`services/identity/src/accounts/passwords.ts`), beside what every service takes.
    expect(Number.parseInt(limit, 10)).toBeGreaterThanOrEqual(4 * 64 + 256);
  });

  test("keeps edge and API from the stores, and everybody but notify, and factors for https, from the world", ({
    skip,
  }) => {
    need(skip);
    const reaching = (port: number) =>
      manifests
        .filter(({ kind }) => kind === "NetworkPolicy")
        .map(({ spec }) => spec as { podSelector: unknown; egress?: { ports?: { port: number }[] }[] })
        .filter(({ egress = [] }) => egress.some(({ ports = [] }) => ports.some((each) => each.port === port)))
        .map(({ podSelector }) => JSON.stringify(podSelector));
    for (const port of [6379, 27017]) {
      expect(reaching(port).length).toBeGreaterThan(0);
      for (const selector of reaching(port)) expect(selector).not.toMatch(/"edge"|"api"|\{\}/);
    }
    const outside = manifests
      .filter(({ kind, spec }) => kind === "NetworkPolicy" && JSON.stringify(spec).includes('"cidr":"0.0.0.0/0"'))
      .map(({ spec }) => JSON.stringify((spec as { podSelector: unknown }).podSelector));
    expect(outside.toSorted()).toEqual([
      '{"matchLabels":{"app.kubernetes.io/name":"factors"}}',
      '{"matchLabels":{"app.kubernetes.io/name":"notify"}}',
    ]);
    expect(reaching(587)).toEqual(['{"matchLabels":{"app.kubernetes.io/name":"notify"}}']);
  });

  test.each<[string, (edge: Manifest & Record<string, unknown>) => void, RegExp]>([
    ["root", (edge) => set(edge, "spec.template.spec.securityContext.runAsUser", 0), /may run as root/],
    [
      "a writable image",
      (edge) => set(edge, "spec.template.spec.containers.0.securityContext.readOnlyRootFilesystem", false),
      /can write/,
    ],
    [
      "a capability",
      (edge) => set(edge, "spec.template.spec.containers.0.securityContext.capabilities.add", ["NET_ADMIN"]),
      /keeps capabilities/,
    ],
    [
      "no limits",
      (edge) => set(edge, "spec.template.spec.containers.0.resources", undefined),
      /no requests or no limits/,
    ],
    ["no probe", (edge) => set(edge, "spec.template.spec.containers.0.readinessProbe", undefined), /no probes/],
    ["a token", (edge) => set(edge, "spec.template.spec.automountServiceAccountToken", true), /token/],
    ["whatever was built last", (edge) => set(edge, "spec.template.spec.containers.0.image", "x:latest"), /built last/],
    ["a number of its own", (edge) => set(edge, "spec.replicas", 2), /against its autoscaler/],
    [
      "a field that Kubernetes does not know",
      (edge) => set(edge, "spec.template.spec.containers.0.ports.0.containerPort", "http"),
      /containerPort/,
    ],
    [
      "a name that nothing is called by",
      (edge) => set(edge, "spec.template.spec.containers.0.envFrom.0.configMapRef.name", "nothing"),
      /no ConfigMap nothing/,
    ],
  ])("would not pass with %s", (_what, spoil, problem) => {
    if (manifests.length === 0) return;
    const copy = structuredClone(manifests);
    const edge = copy.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "edge");
    if (edge === undefined) throw new Error("there is no edge");
    spoil(edge);
    expect(problemsOf(copy).join("\n")).toMatch(problem);
  });

  test.each<[string, string, string, unknown, RegExp]>([
    ["a listener without TLS", "Gateway/portcullis", "spec.listeners.1.protocol", "HTTP", /listeners/],
    ["a route by path", "HTTPRoute/sockets", "spec.rules.0.matches.0.path", { value: "/chat" }, /path/],
    ["a log of paths", "EnvoyProxy/portcullis", "spec.telemetry.accessLog.disable", false, /disable/],
    ["paths that are changed", "ClientTrafficPolicy/portcullis", "spec.path", {}, /KeepUnchanged/],
    ["a route from nowhere", "HTTPRoute/sockets", "spec.parentRefs.0.sectionName", "x", /no listener x/],
    ["a route to nowhere", "HTTPRoute/sockets", "spec.rules.1.backendRefs.0.name", "x", /no Service x/],
  ])("would not pass with %s", (_what, name, path, value, problem) => {
    if (manifests.length === 0) return;
    const copy = structuredClone(manifests);
    const found = copy.find(({ kind, metadata }) => `${kind}/${metadata.name}` === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    set(found, path, value);
    expect(problemsOf(copy).join("\n")).toMatch(problem);
  });

  test.each(["PodDisruptionBudget", "EnvoyProxy", "HorizontalPodAutoscaler", "NetworkPolicy"])(
    "would not pass without a %s",
    (kind) => {
      if (manifests.length === 0) return;
      expect(problemsOf(manifests.filter((each) => each.kind !== kind))).not.toEqual([]);
    },
  );
});

function set(object: unknown, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop() ?? "";
  let at = object as Record<string, unknown>;
  for (const name of names) at = at[name] as Record<string, unknown>;
  at[last] = value;
}

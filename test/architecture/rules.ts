import type { IForbiddenRuleType } from "dependency-cruiser";

const productionOfWorkspaces = "^(libs|services)/[^/]+/src/";
const tests = "(^|/)test/|\\.test\\.ts$";
const browserSafe = "^libs/(protocol|crypto|policy|client)/src/(?!native/)";
const adapters = "^libs/(bus|documents|state|jobs)/src/(nats|memory|mongodb|redis|bullmq|embedded)/";

/** What only the named folders may import. Everything else speaks to the port. */
const drivers: readonly { readonly name: string; readonly to: string; readonly from: string }[] = [
  { name: "mongodb", to: "^node_modules/mongodb/", from: "^libs/documents/src/mongodb/" },
  { name: "ioredis", to: "^node_modules/ioredis/", from: "^libs/(state/src/redis|jobs/src/bullmq)/" },
  { name: "bullmq", to: "^node_modules/bullmq/", from: "^libs/jobs/src/bullmq/" },
  { name: "nats", to: "^node_modules/(@nats-io/|nats/)", from: "^libs/bus/src/nats/" },
  { name: "sqlite", to: "^(node:)?sqlite$", from: "^libs/(sqlite/src|(documents|state|jobs)/src/embedded)/" },
];

/** The rules of the house that one import can break. Paths are relative to the root and use `/`. */
export const rules: IForbiddenRuleType[] = [
  {
    name: "services-stay-apart",
    comment: "a service speaks to another over the bus only",
    from: { path: "^services/([^/]+)/" },
    to: { path: "^services/", pathNot: "^services/$1/" },
  },
  {
    name: "libs-stand-below",
    comment: "a lib imports no service and nothing of deploy",
    from: { path: "^libs/" },
    to: { path: "^(services|deploy)/" },
  },
  {
    name: "services-stand-below-deploy",
    comment: "a service does not know how it is deployed",
    from: { path: "^services/" },
    to: { path: "^deploy/" },
  },
  {
    name: "production-needs-no-tests",
    comment: "libs and services import nothing from test folders",
    from: { path: productionOfWorkspaces },
    to: { path: tests },
  },
  {
    name: "deploy-needs-engines-only",
    comment: "of the tests, deploy uses only test/engines",
    from: { path: "^deploy/", pathNot: tests },
    to: { path: tests, pathNot: "^test/engines/" },
  },
  { name: "no-circle", comment: "files import each other in a circle", from: {}, to: { circular: true } },
  ...drivers.map(({ name, to, from }) => ({
    name: `driver-${name}`,
    comment: `only ${from} talks to it`,
    from: { pathNot: [from, tests] },
    to: { path: to },
  })),
  {
    name: "services-choose-no-adapter",
    comment: "a service is handed its ports; only run.ts and main.ts choose what is behind them",
    from: { path: "^services/[^/]+/src/", pathNot: "^services/[^/]+/src/(run|main)\\.ts$" },
    to: { path: [adapters, "^libs/sqlite/"] },
  },
  {
    name: "browser-safe-no-builtin",
    comment: "a browser has no Node built-in",
    from: { path: browserSafe },
    to: { dependencyTypes: ["core"] },
  },
  {
    name: "browser-safe-npm",
    comment: "of npm, only what is named here is known to work in a browser",
    from: { path: browserSafe },
    to: {
      path: "^node_modules/",
      pathNot: "^node_modules/(zod|hpke|altcha-lib|ipaddr\\.js|@scure/bip39/wordlists|@panva/hpke-noble)/",
    },
  },
  {
    name: "browser-safe-libs",
    comment: "what a browser-safe lib imports is browser-safe too",
    from: { path: browserSafe },
    to: { path: "^(libs|services|deploy|test)/", pathNot: browserSafe },
  },
  {
    name: "resolvable",
    comment: "the import leads nowhere",
    from: {},
    to: { couldNotResolve: true },
  },
];

import { run as runApi } from "@portcullis/api";
import { run as runEdge } from "@portcullis/edge";
import { run as runFactors } from "@portcullis/factors";
import { run as runIdentity } from "@portcullis/identity";
import { run as runKeys } from "@portcullis/keys";
import { run as runNotify } from "@portcullis/notify";
import { type Embedded, type EmbeddedOptions, openEmbedded } from "@portcullis/platform";
import { asStartupError } from "@portcullis/runtime";
import type { EmbeddedSettings } from "./embedded-config.ts";

export interface RunningEmbedded {
  readonly embedded: Embedded;
  /** `http://localhost:8080`. */
  readonly url: string;
  /** Of the API. */
  readonly port: number;
  readonly edgePort: number;
  readonly bootstrapToken: string | null;
}

/**
 * All services in this process, in the order in which they need each other, but for the API: it comes first because only it
 * knows its address (`PORT=0`), and answers 503 on `/readyz` until everybody is there.
 */
export async function startEmbedded(settings: EmbeddedSettings, options: EmbeddedOptions): Promise<RunningEmbedded> {
  const { launcher } = settings;
  const embedded = await openEmbedded(options);
  const started = options.health.add("services", () => Promise.reject(new Error("still starting")));
  const api = await runApi(embedded.platformFor("api"), settings.api).catch(namePort("PORT"));
  await runKeys(embedded.platformFor("keys"), settings.keys);
  await runFactors(embedded.platformFor("factors"), { ...settings.factors, publicUrl: api.publicUrl });
  const identity = { ...settings.identity, publicUrl: api.publicUrl };
  const { bootstrapToken } = await runIdentity(embedded.platformFor("identity"), identity);
  await runNotify(embedded.platformFor("notify"), settings.notify);
  const shared = launcher.edgePort === null ? { server: api.server } : {};
  const edge = await runEdge(embedded.platformFor("edge", "edge-1"), settings.edge, shared).catch(
    namePort("EDGE_PORT"),
  );
  started();
  return { embedded, url: api.publicUrl, port: Number(new URL(api.address).port), edgePort: edge.port, bootstrapToken };
}

const namePort = (portSetting: string) => (error: unknown) => {
  throw asStartupError(error, { portSetting }) ?? error;
};

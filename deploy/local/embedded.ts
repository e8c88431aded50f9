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
  readonly edgePort: number;
  readonly bootstrapToken: string | null;
}

/** All services in this process, in the order in which they need each other. */
export async function startEmbedded(settings: EmbeddedSettings, options: EmbeddedOptions): Promise<RunningEmbedded> {
  const embedded = await openEmbedded(options);
  await runKeys(embedded.platformFor("keys"));
  await runFactors(embedded.platformFor("factors"), settings.factors);
  const { bootstrapToken } = await runIdentity(embedded.platformFor("identity"), settings.identity);
  await runNotify(embedded.platformFor("notify"), settings.notify);
  const api = await runApi(embedded.platformFor("api"), settings.api).catch(namePort("PORT"));
  const shared = settings.launcher.edgePort === null ? { server: api.server } : {};
  const edge = await runEdge(embedded.platformFor("edge", "edge-1"), settings.edge, shared).catch(
    namePort("EDGE_PORT"),
  );
  return { embedded, url: api.publicUrl, edgePort: edge.port, bootstrapToken };
}

const namePort = (portSetting: string) => (error: unknown) => {
  throw asStartupError(error, { portSetting }) ?? error;
};

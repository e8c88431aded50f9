import { serverIdentity } from "@portcullis/contracts";
import { aliveReport, type Health } from "@portcullis/runtime";
import { z } from "zod";
import type { App } from "./http/app.ts";
import { apiVersion } from "./http/documentation.ts";
import { type Page, sendPage } from "./pages/page.ts";
import type { RouteContext } from "./routes.ts";

const about = z.object({
  version: z.string(),
  fingerprint: z.string().describe("of the server's identity key; the last part of every app key"),
});

const frontPage: Page = {
  title: "Portcullis",
  body: `<h1>Portcullis</h1>
<p>The owner API: <a href="/docs">documentation</a>, <a href="/openapi.json">OpenAPI document</a>.</p>`,
};

export function serverRoutes(app: App, { caller }: RouteContext, health: Health): void {
  app.get(
    "/v1/server",
    {
      config: { access: "anybody" },
      schema: { operationId: "getServer", summary: "Which server this is", tags: ["server"], response: { 200: about } },
    },
    async () => ({ version: apiVersion, fingerprint: (await caller.call(serverIdentity, {})).fingerprint }),
  );

  app.get("/healthz", { schema: { hide: true } }, (_request, reply) =>
    reply.header("cache-control", "no-store").code(aliveReport.httpStatus).send(aliveReport.body),
  );
  app.get("/readyz", { schema: { hide: true } }, async (_request, reply) => {
    const { httpStatus, body } = await health.report();
    return reply.header("cache-control", "no-store").code(httpStatus).send(body);
  });
  app.get("/", { schema: { hide: true } }, (_request, reply) => sendPage(reply, 200, frontPage));
}

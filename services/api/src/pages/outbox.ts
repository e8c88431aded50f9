import { readFileSync } from "node:fs";
import { readOutbox, ServiceError } from "@portcullis/contracts";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { time, timeOf } from "../http/fields.ts";
import type { RouteContext } from "../routes.ts";
import { type Page, sendPage } from "./page.ts";

const script = readFileSync(new URL("../../assets/outbox.js", import.meta.url));

const page: Page = {
  title: "Outbox",
  script: "/outbox/outbox.js",
  body: `<h1>Outbox</h1>
<p>What would have been sent: there is no mail server or no SMS provider here.</p>
<form id="key-form" hidden>
<label for="key">Outbox key</label>
<p class="quiet" id="key-hint">The program that runs Portcullis shows it when it starts.</p>
<input id="key" type="password" autocomplete="off" required aria-describedby="key-hint">
<p><button type="submit">Show</button></p>
</form>
<p id="status" role="status" aria-live="polite">Loading…</p>
<div id="messages"></div>
<noscript><p>This page needs JavaScript. The messages are also in the folder that OUTBOX_DIR names.</p></noscript>`,
};

const query = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9][0-9]?$|^100$/, { error: "must be a number from 1 to 100" })
    .transform(Number)
    .optional()
    .describe("at most so many, 1 to 100; default 50"),
});
const message = z.object({
  id: z.string(),
  at: time,
  channel: z.enum(["email", "sms", "call"]),
  to: z.string(),
  subject: z.string(),
  text: z.string(),
});

/** For developers: what was sent where nothing can be sent. Codes of everybody stand there, so it takes a key of its own. */
export function outboxRoutes(app: App, { caller }: RouteContext): void {
  app.get(
    "/v1/outbox",
    {
      // A key in a header is no cookie: no other site's page can have it sent.
      config: { access: "anybody", errors: ["unauthenticated", "not_found"] },
      schema: {
        operationId: "readOutbox",
        summary: "What was written to the outbox, newest first",
        description:
          "Takes the outbox key as `Authorization: Bearer …`. `not_found`: there is none here, because messages are really sent.",
        tags: ["server"],
        querystring: query,
        response: { 200: z.object({ messages: z.array(message) }) },
      },
    },
    async (request) => {
      const key = /^Bearer (\S{1,128})$/.exec(request.headers.authorization ?? "")?.[1];
      if (key === undefined) throw new ServiceError("unauthenticated");
      const { messages } = await caller.call(readOutbox, { key, limit: request.query.limit ?? 50 });
      if (messages === null) throw new ServiceError("not_found");
      return { messages: messages.map(({ atMs, ...same }) => ({ ...same, at: timeOf(atMs) })) };
    },
  );

  app.get("/outbox", { schema: { hide: true } }, (_request, reply) => sendPage(reply, 200, page));
  app.get("/outbox/outbox.js", { schema: { hide: true } }, (_request, reply) =>
    reply.header("cache-control", "no-store").type("text/javascript; charset=utf-8").send(script),
  );
}

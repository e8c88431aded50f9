import { confirmWait, findWait, ServiceError } from "@portcullis/contracts";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { App } from "../http/app.ts";
import { takeForms } from "../http/forms.ts";
import type { RouteContext } from "../routes.ts";
import { escaped, type Page, sendPage } from "./page.ts";

const bodyBytesMax = 1_024;
const tokenShape = /^[A-Za-z0-9_.-]{1,256}$/;
const numberShape = /^[0-9]{1,8}$/;

/** For a link that never was, is over, was used or had too many wrong numbers: nobody learns which. */
const gone: Page = {
  title: "Link not valid",
  body: `<h1>This link is not valid any more</h1>
<p>It was used, its time is over, too many wrong numbers were typed, or it is not complete. If you are still waiting somewhere, ask there for another message.</p>`,
};

const confirmed: Page = {
  title: "Confirmed",
  body: `<h1>Confirmed</h1>
<p>You can go back to the screen that was waiting, and close this page.</p>`,
};

const unavailable: Page = {
  title: "Not available",
  body: `<h1>Not available at the moment</h1>
<p>The link stays good. Try again in a moment.</p>`,
};

const tooMany: Page = {
  title: "Too many attempts",
  body: `<h1>Too many attempts</h1>
<p>Try again in ten minutes.</p>`,
};

function form(label: string, error: string | null): Page {
  const shown = error === null ? "" : `<p class="error" id="error" role="alert">${escaped(error)}</p>\n`;
  const marked = error === null ? "" : ' aria-invalid="true" aria-describedby="error"';
  return {
    title: error === null ? "Confirm a connection" : `Error: ${error}`,
    body: `<h1>Let the waiting connection in?</h1>
<p>Somebody is connecting to <strong>${escaped(label)}</strong> and waits for you. If it is you, type the number that the waiting screen shows.</p>
<p>If you did not try to connect anywhere, close this page: nothing happens.</p>
<form method="post">
<label for="number">Number on the waiting screen</label>
${shown}<input class="number" id="number" name="number" inputmode="numeric" autocomplete="off" pattern="[0-9]{3}" maxlength="3" required autofocus${marked}>
<p><button type="submit">Let it in</button></p>
</form>`,
  };
}

/**
 * Behind the link of a message. Mail scanners open every link and some submit forms: opening changes nothing, and what is submitted
 * has to hold the number that only the waiting client shows. The token in the URL is no way in without it; it is logged nowhere.
 */
export function confirmRoutes(app: App, { caller, site }: RouteContext): void {
  app.register(async (scope) => {
    takeForms(scope, bodyBytesMax);
    scope.setErrorHandler((error, _request, reply) => {
      if (!(error instanceof ServiceError)) return sendPage(reply, 400, gone);
      if (error.code === "too_many") return sendPage(reply, 429, tooMany);
      return sendPage(reply, 503, unavailable);
    });

    scope.get("/confirm/:token", { schema: { hide: true } }, async (request, reply) => {
      const label = await labelOf(request);
      return label === null ? sendPage(reply, 410, gone) : sendPage(reply, 200, form(label, null));
    });

    scope.post("/confirm/:token", { schema: { hide: true } }, async (request, reply) => {
      if (!isOfThisPage(request, site.origin())) return sendPage(reply, 403, gone);
      return answer(request, reply);
    });
  });

  async function labelOf(request: FastifyRequest): Promise<string | null> {
    const token = tokenOf(request);
    if (token === null) return null;
    const { wait } = await caller.call(findWait, { token, address: request.ip });
    return wait?.label ?? null;
  }

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const token = tokenOf(request);
    const { body } = request;
    const number = (body instanceof URLSearchParams ? (body.get("number") ?? "") : "").trim();
    if (token === null) return sendPage(reply, 410, gone);
    // What is no number at all uses up no attempt.
    if (numberShape.test(number)) {
      const { result } = await caller.call(confirmWait, { token, number, address: request.ip });
      if (result === "confirmed") return sendPage(reply, 200, confirmed);
      if (result === "gone") return sendPage(reply, 410, gone);
    }
    const label = await labelOf(request);
    if (label === null) return sendPage(reply, 410, gone);
    return sendPage(reply, 422, form(label, "That is not the number on the waiting screen."));
  }
}

function tokenOf({ params }: FastifyRequest): string | null {
  const { token } = params as { readonly token?: string };
  return token !== undefined && tokenShape.test(token) ? token : null;
}

/** Another site's form would need the number as well; it has no business here all the same. */
function isOfThisPage({ headers }: FastifyRequest, ownOrigin: string): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin" || site === "none";
  return headers.origin === undefined || headers.origin === ownOrigin;
}

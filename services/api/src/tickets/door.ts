import { beginPasskeyTicket, exchangePasskey, exchangePassphrase, ServiceError } from "@portcullis/contracts";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { App } from "../http/app.ts";
import { timeOf } from "../http/fields.ts";
import { takeForms } from "../http/forms.ts";
import { publicError, sendProblem } from "../http/problem.ts";
import { sendPage } from "../pages/page.ts";
import type { RouteContext } from "../routes.ts";
import { signInPage, ticketPage } from "./pages.ts";
import { partyOf } from "./party.ts";
import { doorRoute, type Place, placeOf, returnToOf } from "./place.ts";
import { postedForm, postedJson, type Shown } from "./shown.ts";

/** What a device signs, percent-encoded. */
const bodyBytesMax = 16_384;
/** As long as `identity` keeps a challenge. */
const passkeyTimeoutMs = 300_000;

const problems = {
  wrong: "That is not a name with its passphrase or passkey here.",
  foreign: "This form was not sent from this page. Try again here.",
  "too-many": "Too many attempts. Try again in a quarter of an hour.",
  unavailable: "Not available at the moment. Try again.",
} as const;

/**
 * The web's way to a socket: its own address over http. A browser gets a form, a program posts JSON; either gets a one-time ticket for a member's
 * passphrase or passkey. Asking for the page, or for a challenge, looks nothing up. Whatever is wrong with what is posted gets the same answer.
 */
export function doorRoutes(app: App, { caller, site, domain }: RouteContext): void {
  app.register(async (scope) => {
    takeForms(scope, bodyBytesMax);
    scope.addContentTypeParser(
      "application/json",
      { parseAs: "string", bodyLimit: bodyBytesMax },
      (_request, body, done) => done(null, String(body)),
    );
    scope.setErrorHandler((error, request, reply) => {
      const shown = publicError(error);
      const place = placeIn(request);
      if (place === null || isJson(request)) return sendProblem(reply, shown);
      if (shown.code === "unauthenticated" || shown.code === "invalid") return refuse(reply, place, 422, "wrong");
      if (shown.code === "too_many") return refuse(reply, place, 429, "too-many");
      return refuse(reply, place, 503, "unavailable");
    });
    scope.get(doorRoute, { schema: { hide: true } }, (request, reply) =>
      sendPage(reply, 200, signInPage(requirePlace(request), null)),
    );
    scope.post(doorRoute, { schema: { hide: true } }, (request, reply) => {
      const place = requirePlace(request);
      if (!isOfThisPage(request))
        return isJson(request)
          ? sendProblem(reply, new ServiceError("forbidden"))
          : refuse(reply, place, 403, "foreign");
      return isJson(request) ? answer(request, reply, place) : goOn(request, reply, place);
    });
  });

  function placeIn({ raw, originalUrl }: FastifyRequest): Place | null {
    return placeOf({ headers: raw.headers, url: originalUrl }, domain);
  }

  /** @throws {ServiceError} not_found: somebody asked for the inner route by its name. */
  function requirePlace(request: FastifyRequest): Place {
    const place = placeIn(request);
    if (place === null) throw new ServiceError("not_found");
    return place;
  }

  /** For every name at every address alike. */
  async function begin(
    request: FastifyRequest,
    reply: FastifyReply,
    place: Place,
    name: string,
  ): Promise<FastifyReply> {
    const { label, path } = place;
    const { relyingParty } = partyOf(request, domain, site);
    const asked = { label, path, name, address: request.ip, relyingParty };
    const { signInId, challenge } = await caller.call(beginPasskeyTicket, asked);
    const options = {
      challenge,
      rpId: relyingParty,
      allowCredentials: [],
      userVerification: "required",
      timeout: passkeyTimeoutMs,
    };
    return reply.header("cache-control", "no-store").send({ signInId, options });
  }

  async function exchange(request: FastifyRequest, { label, path }: Place, shown: Shown, returnTo: URL | null) {
    const claimed = { label, path, name: shown.id, address: request.ip, returnOrigin: returnTo?.origin ?? null };
    if ("passphrase" in shown) return caller.call(exchangePassphrase, { ...claimed, passphrase: shown.passphrase });
    const { signInId, response } = shown;
    return caller.call(exchangePasskey, { ...claimed, ...partyOf(request, domain, site), signInId, response });
  }

  async function answer(request: FastifyRequest, reply: FastifyReply, place: Place): Promise<FastifyReply> {
    const posted = postedJson(request.body);
    if ("begin" in posted) return begin(request, reply, place, posted.id);
    const { ticket, expiresAtMs, idParameter } = await exchange(request, place, posted, null);
    const url = urlFor(place, idParameter, posted.id);
    return reply.header("cache-control", "no-store").send({ ticket, expiresAt: timeOf(expiresAtMs), url });
  }

  async function goOn(request: FastifyRequest, reply: FastifyReply, place: Place): Promise<FastifyReply> {
    const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
    const shown = postedForm(form);
    if (shown === null) return refuse(reply, place, 422, "wrong");
    const written = form.get("return_to");
    const returnTo = written === null || written === "" ? place.returnTo : returnToOf(written);
    const { ticket, expiresAtMs, mayReturn } = await exchange(request, place, shown, returnTo);
    if (returnTo === null || !mayReturn) return sendPage(reply, 200, ticketPage(ticket, secondsUntil(expiresAtMs)));
    // In the fragment, which no server is told and no log holds. Only to an origin that the owner's policy names: anybody writes links to here.
    returnTo.hash = `ticket=${ticket}`;
    return reply
      .code(303)
      .headers({ location: returnTo.href, "cache-control": "no-store", "referrer-policy": "no-referrer" })
      .send();
  }

  /** Where to connect, with the member's name in place of another one. */
  function urlFor({ label, path, query }: Place, idParameter: string, name: string): string {
    const others = query.split("&").filter((part) => part !== "" && !new URLSearchParams(part).has(idParameter));
    const named = `${idParameter}=${encodeURIComponent(name)}`;
    return `${site.socketUrl(label, path)}?${[named, ...others].join("&")}`;
  }
}

function refuse(reply: FastifyReply, place: Place, status: number, problem: keyof typeof problems): FastifyReply {
  return sendPage(reply, status, signInPage(place, problems[problem]));
}

function isJson({ headers }: FastifyRequest): boolean {
  return /^application\/json\s*(?:;|$)/i.test(headers["content-type"] ?? "");
}

function secondsUntil(atMs: number): number {
  return Math.max(0, Math.floor((atMs - Date.now()) / 1_000));
}

/**
 * A page elsewhere must not sign its visitor in as somebody of its own choice. What a browser says of where a form is from cannot be written by
 * a page (W3C Fetch Metadata); one that says nothing of it says the origin, which is then this host. Programs say neither.
 */
function isOfThisPage({ headers }: FastifyRequest): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin" || site === "none";
  const { origin } = headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === (headers.host ?? "").toLowerCase();
}

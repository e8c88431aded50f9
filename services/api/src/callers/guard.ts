import type { Caller as BusCaller } from "@portcullis/bus";
import { authenticate, type Caller, ServiceError, type ServiceErrorCode } from "@portcullis/contracts";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Site } from "../site.ts";
import type { SessionCookie } from "./cookie.ts";
import { credentialOf } from "./credential.ts";
import { requireSameOrigin } from "./same-origin.ts";

/**
 * Who may use a route. `session`: what could take the account over. A token lies in files and environments of programs; who
 * finds one must not become the owner, so those routes want somebody who has signed in.
 */
export type Access = "anybody" | "owner" | "session";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Every route under /v1 has to say. */
    readonly access?: Access;
    /** What may go wrong besides what follows from `access` and schema; for the OpenAPI document. */
    readonly errors?: readonly ServiceErrorCode[];
  }
  interface FastifyRequest {
    owner: Caller | null;
  }
}

export interface GuardOptions {
  readonly caller: BusCaller;
  readonly site: Site;
  readonly cookie: SessionCookie;
}

/** Decides before a byte of the body is read. */
export function guardRoutes(app: FastifyInstance, { caller, site, cookie }: GuardOptions): void {
  app.decorateRequest("owner", null);
  app.addHook("preParsing", async (request) => {
    const { access } = request.routeOptions.config;
    if (access === undefined) return;
    const withToken = request.headers.authorization !== undefined;
    if (!withToken) requireSameOrigin(request, site.origin(), request.cookies[cookie.name] !== undefined);
    if (access === "anybody") return;

    const credential = credentialOf(request, cookie.name);
    if (credential === null) throw new ServiceError("unauthenticated");
    // Asked even where a token is not enough, so that a wrong one does not learn what a right one could.
    const owner = await caller.call(authenticate, credential);
    if (access === "session" && owner.credential.kind !== "session") throw new ServiceError("forbidden");
    request.owner = owner;
  });
}

/** @throws {TypeError} on a route that lets anybody in: a mistake of ours. */
export function ownerOf(request: FastifyRequest): Caller {
  if (request.owner === null) throw new TypeError("this route does not authenticate");
  return request.owner;
}

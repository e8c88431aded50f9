import { type DirectoryView, listDirectory, resetDirectory } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id, time, timeOf } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";

const tags = ["sockets"];
const params = z.strictObject({ id, name: id.describe("the recipient's, such as `consumer`") });

const entry = z.object({
  name: z.string(),
  fingerprint: z.string().describe("of the identity that counts: what members pin"),
  words: z.string().describe("the same in six words, to be compared with whoever runs the recipient"),
  identities: z.int().describe("how many led there, itself among them; at most 8 are remembered"),
  prekeyUntil: time.nullable().describe("so long it can be sealed to"),
  changedAt: time.describe("when that identity was published"),
});

function viewOf({ prekeyUntilMs, changedAtMs, ...same }: DirectoryView): z.infer<typeof entry> {
  return {
    ...same,
    prekeyUntil: prekeyUntilMs === null ? null : timeOf(prekeyUntilMs),
    changedAt: timeOf(changedAtMs),
  };
}

export function directoryRoutes(app: App, { caller }: RouteContext): void {
  app.get(
    "/v1/sockets/:id/directory",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listDirectory",
        summary: "Whom messages of the socket can be sealed to end to end",
        tags,
        params: z.strictObject({ id }),
        response: { 200: z.object({ entries: z.array(entry) }) },
      },
    },
    async (request) => {
      const { entries } = await caller.call(listDirectory, ownedSocket(request));
      return { entries: entries.map(viewOf) };
    },
  );

  app.delete(
    "/v1/sockets/:id/directory/:name",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "resetDirectory",
        summary: "Forget a recipient's identity, so that another one can take the name",
        description:
          "For an identity that is lost: one that is there is followed by another that it signs. Members who pinned the lost one refuse the new one until their pin is changed.",
        tags,
        params,
        response: { 204: nothing("Reset") },
      },
    },
    async (request, reply) => {
      const { id: socketId, name } = request.params;
      await caller.call(resetDirectory, { ownerId: ownerOf(request).ownerId, socketId, name });
      return done(reply);
    },
  );
}

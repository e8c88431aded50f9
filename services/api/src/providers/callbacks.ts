import { decideCallback, ServiceError } from "@portcullis/contracts";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { id } from "../http/fields.ts";
import { nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";

const bodyBytesMax = 4_096;
const signed = z.object({
  "webhook-id": z.string().min(1).max(128).describe("the same for each try of the same decision"),
  "webhook-timestamp": z.string().min(1).max(16).describe("seconds since 1970; within five minutes of now"),
  "webhook-signature": z
    .string()
    .min(1)
    .max(1_024)
    .describe("`v1,` and the HMAC in base64; several with spaces between"),
});

/**
 * Where a service says what it decided on a wait. The signature is over the bytes, so that they go to who can verify it as they came.
 * Whatever is not signed by whom the wait is for gets one answer, headers that are missing included.
 */
export function callbackRoutes(app: App, { caller }: RouteContext): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      "application/json",
      { parseAs: "buffer", bodyLimit: bodyBytesMax },
      (_request: unknown, body: string | Buffer, done: (error: Error | null, body?: unknown) => void) =>
        done(null, body),
    );
    scope.post(
      "/v1/callbacks/:waitId",
      {
        config: { access: "anybody", errors: ["conflict"] },
        // Checked below, where a refusal looks like any other.
        validatorCompiler: () => (value) => ({ value }),
        schema: {
          operationId: "decideCallback",
          summary: "Decide on a wait of the gate `external`",
          description:
            "Signed by Standard Webhooks, with the secret of the webhook that told of it. `forbidden`: no such wait, not signed for it, or stale. `conflict`: it is over, or was decided otherwise.",
          tags: ["server"],
          params: z.strictObject({ waitId: id }),
          headers: signed,
          body: z.strictObject({ decision: z.enum(["confirm", "refuse"]) }),
          response: { 204: nothing("Taken; the same again is taken again") },
        },
      },
      async (request, reply) => {
        const headers = signed.safeParse(request.headers);
        const params = z.strictObject({ waitId: id }).safeParse(request.params);
        const body: unknown = request.body;
        if (!headers.success || !params.success || !(body instanceof Uint8Array)) throw new ServiceError("forbidden");
        const { result } = await caller.call(decideCallback, {
          ...params.data,
          webhookId: headers.data["webhook-id"],
          timestamp: headers.data["webhook-timestamp"],
          signature: headers.data["webhook-signature"],
          body: new Uint8Array(body),
          address: request.ip,
        });
        if (result === "refused") throw new ServiceError("forbidden");
        if (result === "late") throw new ServiceError("conflict");
        if (result === "invalid")
          throw new ServiceError("invalid", { issues: [{ path: "decision", message: "must be confirm or refuse" }] });
        return reply.code(204).send();
      },
    );
  });
}

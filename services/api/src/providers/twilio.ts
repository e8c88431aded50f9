import { reportTwilio, ServiceError } from "@portcullis/contracts";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { id } from "../http/fields.ts";
import { takeForms } from "../http/forms.ts";
import type { RouteContext } from "../routes.ts";

const bodyBytesMax = 16_384;
const params = z.strictObject({ waitId: id, sending: id });
const fields = z.record(z.string().max(64), z.string().max(2_048));

/** Where Twilio says what became of a text message. What is not signed by it is answered with 403 and does nothing. */
export function twilioRoutes(app: App, { caller }: RouteContext): void {
  app.register(async (scope) => {
    takeForms(scope, bodyBytesMax);
    scope.post("/providers/twilio/:waitId/:sending", { schema: { hide: true } }, async (request, reply) => {
      const where = params.safeParse(request.params);
      const { body } = request;
      const said = fields.safeParse(body instanceof URLSearchParams ? Object.fromEntries(body) : null);
      const signature = request.headers["x-twilio-signature"];
      if (!where.success || !said.success || typeof signature !== "string" || signature.length > 64)
        throw new ServiceError("forbidden");
      const { genuine } = await caller.call(reportTwilio, { ...where.data, fields: said.data, signature });
      if (!genuine) throw new ServiceError("forbidden");
      return reply.code(204).send();
    });
  });
}

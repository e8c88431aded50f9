import type { FastifyReply, FastifyRequest } from "fastify";
import Negotiator from "negotiator";
import { z } from "zod";
import { qrPictures } from "./qr.ts";

export const enrolment = z.object({
  uri: z.string().describe("`otpauth://totp/...`; holds the secret, shown this once"),
  qrSvg: z.string().describe("the uri as a picture"),
  qrPngBase64: z.string().describe("the same as PNG, base64"),
});
export type Enrolment = z.infer<typeof enrolment>;

/** For the OpenAPI document: what `sendEnrolment` may send. */
export const enrolmentResponse = {
  description: "JSON, or the picture alone where `Accept` prefers `image/svg+xml` or `image/png`",
  content: {
    "application/json": { schema: enrolment },
    "image/svg+xml": { schema: z.string() },
    "image/png": { schema: z.string().meta({ contentMediaType: "image/png" }) },
  },
};

const media = ["application/json", "image/svg+xml", "image/png"] as const;

export function sendEnrolment(request: FastifyRequest, reply: FastifyReply, uri: string): FastifyReply {
  const { svg, png } = qrPictures(uri);
  reply.header("vary", "accept");
  switch (new Negotiator(request.raw).mediaType(media)) {
    case "image/svg+xml":
      return reply.type("image/svg+xml").send(svg);
    case "image/png":
      return reply.type("image/png").send(png);
    default: {
      const body: Enrolment = { uri, qrSvg: svg, qrPngBase64: Buffer.from(png).toString("base64") };
      return reply.type("application/json").send(body);
    }
  }
}

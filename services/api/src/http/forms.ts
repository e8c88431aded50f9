import type { FastifyInstance } from "fastify";

/** For routes that forms, or programs of others, post to: nothing but a form is taken, and it comes as URLSearchParams. */
export function takeForms(
  scope: Pick<FastifyInstance, "removeAllContentTypeParsers" | "addContentTypeParser">,
  bytesMax: number,
): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    "application/x-www-form-urlencoded",
    { parseAs: "string", bodyLimit: bytesMax },
    (_request: unknown, body: string | Buffer, done: (error: Error | null, body?: unknown) => void) =>
      done(null, new URLSearchParams(String(body))),
  );
}

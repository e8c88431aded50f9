import { z } from "zod";
import { id } from "./fields.ts";

const limitDefault = 50;
const limitMax = 200;
const limitMessage = { error: `must be a number from 1 to ${limitMax}` };

/** Query of a list. */
export const pageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^[0-9]{1,3}$/, limitMessage)
    .transform(Number)
    .pipe(z.int().min(1, limitMessage).max(limitMax, limitMessage))
    .optional()
    .describe(`at most so many, 1 to ${limitMax}; default ${limitDefault}. A page may be shorter than that`),
  after: id.optional().describe("`next` of the page before"),
});

/** To spread into the answer of a list. */
export const nextField = { next: id.nullable().describe("ask again with this as `after`; null: that was all") };

/** As the contracts want it. */
export function pageOf({
  limit = limitDefault,
  after = null,
}: {
  limit?: number | undefined;
  after?: string | null | undefined;
}) {
  return { limit, after };
}

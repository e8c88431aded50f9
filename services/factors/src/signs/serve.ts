import { forgetSign, getSign, putSign } from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import type { SignStore } from "./store.ts";

/** Answers the `factors.signs.*` contracts. */
export async function serveSigns(server: Platform["server"], signs: SignStore): Promise<void> {
  await server.serve(putSign, async ({ art, ...whose }) => ({ art: await signs.put(whose, art) }));
  await server.serve(getSign, async (whose) => ({ art: (await signs.find(whose))?.art ?? null }));
  await server.serve(forgetSign, async (whose) => ({ existed: await signs.forget(whose) }));
}

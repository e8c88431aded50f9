import type { Api, Json } from "../api.ts";
import { rows } from "../show.ts";

/** All pages as one. */
export async function allOf(api: Api, path: string, name: string): Promise<Json> {
  const found: Json[] = [];
  let after: string | null = null;
  do {
    const query: string = after === null ? "?limit=200" : `?limit=200&after=${encodeURIComponent(after)}`;
    const page = await api.ask("GET", `${path}${query}`);
    found.push(...rows(page, name));
    after = typeof page.next === "string" ? page.next : null;
  } while (after !== null);
  return { [name]: found };
}

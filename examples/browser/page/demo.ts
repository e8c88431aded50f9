/** What `npm start` has made, as the program that serves this page tells whoever has the page's key. */
export interface Demo {
  readonly url: string;
  readonly member: string;
}

const kept = "portcullis-example-key";

/** @returns null: this is not the address that was printed, or not by the program that runs now */
export async function askForDemo(): Promise<Demo | null> {
  // Behind the # no server and no log sees it, and so the history does not keep it either. It stays for this tab, which may be loaded again.
  if (location.hash.length > 1) {
    sessionStorage.setItem(kept, location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
  const response = await ask("/demo");
  return response.ok ? response.json() : null;
}

/** Asked for when it is needed, and not kept. */
export async function askForAppKey(): Promise<string> {
  const response = await ask("/app-key");
  if (!response.ok) throw new Error("the program that served this page gives no app key");
  return response.text();
}

function ask(path: string): Promise<Response> {
  return fetch(path, { headers: { authorization: `Bearer ${sessionStorage.getItem(kept) ?? ""}` } });
}

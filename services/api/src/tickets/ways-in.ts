import { escaped } from "../pages/page.ts";
import type { Place } from "./place.ts";

/**
 * One way to show who one is on a socket's page: HTML of its own, made from the address alone, so that the page of a socket that there is and
 * of one that there is not are the same.
 */
export type WayIn = (place: Place, problem: string | null) => string;

/** One form for both: what a device signs goes on in it exactly as a passphrase does. The button shows where there is a script, and passkeys. */
const passphraseOrPasskey: WayIn = ({ query, returnToText }, problem) => {
  const shown = problem === null ? "" : `<p class="error" id="problem" role="alert">${escaped(problem)}</p>\n`;
  const marked = problem === null ? "" : ' aria-invalid="true" aria-describedby="problem"';
  const name = (new URLSearchParams(query).get("id") ?? "").slice(0, 128);
  return `<form method="post">
${shown}<label for="id">Name</label>
<input id="id" name="id" value="${escaped(name)}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="128" required${marked}>
<label for="passphrase">Passphrase</label>
<input id="passphrase" name="passphrase" type="password" autocomplete="current-password" maxlength="256" required${marked}>
<input type="hidden" name="return_to" value="${escaped(returnToText)}">
<input type="hidden" name="signInId" value="">
<input type="hidden" name="response" value="">
<p><button type="submit">Continue</button></p>
<p><button type="button" id="use-passkey" hidden>Use a passkey</button></p>
<p id="passkey-status" role="status"></p>
</form>`;
};

/** In the order in which they stand on the page. */
export const waysIn: readonly WayIn[] = [passphraseOrPasskey];

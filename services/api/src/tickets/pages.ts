import { readFileSync } from "node:fs";
import { escaped, type Page } from "../pages/page.ts";
import type { Place } from "./place.ts";
import { waysIn } from "./ways-in.ts";

// In the page: every path of a socket's host is a socket's, and none is left for a script.
const inlineScript = readFileSync(new URL("../../assets/use-passkey.js", import.meta.url), "utf8");

/** The same for every address, whatever is there. @param problem what was wrong with what was sent */
export function signInPage(place: Place, problem: string | null): Page {
  return {
    title: problem === null ? "Sign in" : `Error: ${problem}`,
    body: `<h1>Sign in to connect</h1>
<p>This gets you a ticket. It lets you in once, within a minute.</p>
${waysIn.map((way) => way(place, problem)).join("\n")}`,
    inlineScript,
    // A browser holds the page's policy against where its form is led on to as well.
    ...(place.returnTo === null ? {} : { formTarget: place.returnTo.origin }),
  };
}

export function ticketPage(ticket: string, seconds: number): Page {
  return {
    title: "Your ticket",
    body: `<h1>Your ticket</h1>
<p id="what">It lets you in once, within the next ${seconds} seconds. Whoever has it is you: give it to nobody but the program that you connect with.</p>
<pre id="ticket" tabindex="0" aria-label="Ticket" aria-describedby="what">${escaped(ticket)}</pre>
<p>Paste it where your program asks for a ticket. <code>portcullis connect</code> takes it as <code>PORTCULLIS_TICKET</code>.</p>
<p>When the time is over, <a href="">sign in again</a>.</p>`,
  };
}

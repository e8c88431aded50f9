import "@portcullis/client/gate";
import { askForAppKey, askForDemo } from "./demo.ts";
import { find } from "./find.ts";
import { enterRoom } from "./room.ts";

const hint = find("#hint", HTMLElement);
// Another key was typed into the address, by which alone no page is loaded anew.
addEventListener("hashchange", () => location.reload());

const demo = await askForDemo();

if (demo === null) {
  hint.textContent =
    "Open the address that npm run example:browser has printed: it ends with a # and a key of this page.";
} else {
  hint.textContent = `You go in as ${demo.member}. For the code press Enter in the terminal that serves this page, or scan demo-authenticator.svg in the folder data with an authenticator app.`;
  const gate = document.createElement("portcullis-gate");
  gate.url = demo.url;
  gate.appKey = () => askForAppKey().catch(notThere);
  gate.options = { echo: true };
  gate.addEventListener("accepted", async ({ detail }) => {
    hint.hidden = true;
    await enterRoom(detail.session);
    hint.hidden = false;
  });
  find("#gate", HTMLElement).replaceWith(gate);
}

function notThere(error: unknown): never {
  hint.textContent =
    "The program that served this page has ended. Start it again, and open the address that it prints.";
  throw error;
}

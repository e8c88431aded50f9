// The outbox' page. The key comes behind the #, which no server and no log gets to see, and is kept for this tab only.
const store = "portcullis-outbox-key";
const pollMs = 2_000;
const form = document.querySelector("#key-form");
const input = document.querySelector("#key");
const status = document.querySelector("#status");
const list = document.querySelector("#messages");
let shown = "";

if (location.hash.length > 1) {
  sessionStorage.setItem(store, decodeURIComponent(location.hash.slice(1)));
  history.replaceState(null, "", location.pathname);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(store, input.value.trim());
  void load();
});
document.addEventListener("visibilitychange", () => void load());
setInterval(() => void load(), pollMs);
void load();

async function load() {
  if (document.visibilityState !== "visible") return;
  const key = sessionStorage.getItem(store);
  if (key === null) return askForKey("");
  const answer = await fetch("/v1/outbox", { headers: { authorization: `Bearer ${key}` } }).catch(() => null);
  if (answer === null) return say("The server cannot be reached. Trying again…");
  if (answer.status === 401) {
    sessionStorage.removeItem(store);
    return askForKey("That is not the outbox key.");
  }
  if (answer.status === 404) return say("There is no outbox here: messages are really sent.");
  if (!answer.ok) return say("The messages could not be read. Trying again…");
  form.hidden = true;
  const { messages } = await answer.json();
  say(countOf(messages));
  const text = JSON.stringify(messages);
  if (text === shown) return;
  shown = text;
  list.replaceChildren(...messages.map(articleOf));
}

function countOf({ length }) {
  if (length === 0) return "Nothing has been sent yet.";
  return length === 1 ? "1 message." : `${length} messages, newest first.`;
}

/** Nothing is said anew while it is being asked for: what was wrong with the key before would be gone within a moment. */
function askForKey(why) {
  if (form.hidden || why !== "") say(why);
  list.replaceChildren();
  shown = "";
  if (!form.hidden) return;
  form.hidden = false;
  input.focus();
}

function say(text) {
  if (status.textContent !== text) status.textContent = text;
}

function articleOf({ channel, to, subject, at, text }) {
  const article = document.createElement("article");
  const heading = document.createElement("h2");
  heading.textContent = subject === "" ? "Text message" : subject;
  const about = document.createElement("p");
  about.className = "quiet";
  about.textContent = `${channel === "email" ? "E-mail" : "SMS"} to ${to}, ${new Date(at).toLocaleString()}`;
  const body = document.createElement("pre");
  body.append(...textWithLinks(text));
  article.append(heading, about, body);
  return article;
}

/** Only links to confirm at this very server can be clicked: what else is in a message is text. */
function textWithLinks(text) {
  return text.split(/(https?:\/\/\S+\/confirm\/\S+)/).map((part) => {
    if (!URL.canParse(part) || new URL(part).origin !== location.origin) return document.createTextNode(part);
    const link = document.createElement("a");
    link.href = part;
    link.textContent = part;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return link;
  });
}

import { type Message, PortcullisError, type Session } from "@portcullis/client";
import { find } from "./find.ts";

const room = find("#room", HTMLElement);
const messages = find("#messages", HTMLElement);
const form = find("#say", HTMLFormElement);
const text = find("#text", HTMLInputElement);
const trouble = find("#trouble", HTMLElement);
const leave = find("#leave", HTMLButtonElement);

// What scrolls has to be reached by keyboard, and not every browser sees to that by itself.
messages.tabIndex = 0;

/** A page that is open for days must not keep all that was said. */
const shownMax = 200;

/** Shows what is said on the socket, and says what is typed, until the session is over. */
export async function enterRoom(session: Session): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  // Asked for at once, and so heard before the element hears it: the focus is out of here by then, and free to go there.
  void session.closed.then(() => {
    over.abort();
    room.hidden = true;
    messages.replaceChildren();
    text.value = "";
    trouble.textContent = "";
  });
  form.addEventListener("submit", (event) => void say(session, event), { signal });
  leave.addEventListener("click", () => void session.logout(), { signal });
  room.hidden = false;
  text.focus();
  for await (const message of session) {
    if (signal.aborted) break;
    show(message);
  }
}

async function say(session: Session, event: SubmitEvent): Promise<void> {
  event.preventDefault();
  const typed = text.value;
  if (typed === "") return;
  text.value = "";
  trouble.textContent = "";
  try {
    await session.send(typed);
  } catch (error) {
    if (!(error instanceof PortcullisError)) throw error;
    if (error.code === "closed") return;
    trouble.textContent = `Not sent. ${error.message}`;
    if (text.value === "") text.value = typed;
  }
}

/** As text, each in a direction of its own: nobody's words become markup, or turn the line around them. */
function show(message: Message): void {
  const isAtEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 8;
  const line = document.createElement("p");
  line.className = message.own ? "own" : "";
  const [who, said] = [document.createElement("bdi"), document.createElement("bdi")];
  who.textContent = message.from.member ?? "somebody";
  said.textContent = message.text();
  line.append(who, ": ", said);
  messages.append(line);
  if (messages.childElementCount > shownMax) messages.firstElementChild?.remove();
  if (isAtEnd) messages.scrollTop = messages.scrollHeight;
}

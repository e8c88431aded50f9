import type { PortcullisError, Session } from "@portcullis/client";
import type { GateElement, GateState } from "@portcullis/client/gate";
import "@portcullis/client/gate";
import type { Actions } from "./actions.ts";

let gate: GateElement | null = null;
let session: Session | null = null;
let states: GateState[] = [];
let errors: string[] = [];

let marks = 0;

function element(): GateElement {
  if (gate === null) throw new Error("there is no element");
  return gate;
}

function deepActive(): Element | null {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active;
}

const page: Actions = {
  put(given, attributes = {}) {
    [session, states, errors] = [null, [], []];
    const made = document.createElement("portcullis-gate");
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    const { token, failing, ...rest } = given;
    Object.assign(made, rest, token === undefined ? {} : { token: () => token });
    if (failing !== undefined)
      made.answers = {
        otp() {
          throw new Error(failing);
        },
      };
    made.addEventListener("state", ({ detail }) => void states.push(detail));
    const fails = ({ type, detail }: CustomEvent<{ readonly error: PortcullisError }>) =>
      void errors.push(`${type}: ${detail.error.code}`);
    made.addEventListener("denied", fails);
    made.addEventListener("cancelled", fails);
    made.addEventListener("accepted", ({ detail }) => {
      session = detail.session;
    });
    document.getElementById("place")?.replaceChildren(made);
    gate = made;
  },
  start: () => element().start(),
  cancel: () => element().cancel(),
  remove: () => element().remove(),
  move: () => document.body.append(element()),

  view: () => element().shadowRoot?.querySelector<HTMLElement>(".card")?.dataset.view ?? "none",
  focused() {
    const active = deepActive();
    if (active === null || active === document.body) return "nothing";
    const label = active instanceof HTMLInputElement ? active.labels?.[0]?.textContent : active.textContent;
    return `${active.localName} ${active.ariaLabel ?? label ?? ""}`.trim();
  },
  described() {
    const ids = deepActive()?.getAttribute("aria-describedby")?.split(" ") ?? [];
    return ids.map((id) => element().shadowRoot?.getElementById(id)?.textContent ?? "").join(" ");
  },
  wrongs() {
    const root = element().shadowRoot;
    const ids = root?.querySelector("[aria-invalid=true]")?.getAttribute("aria-describedby") ?? "";
    const wrong = ids.split(" ").find((id) => id.endsWith("-wrong")) ?? "none";
    return {
      field: root?.getElementById(wrong)?.textContent ?? "",
      aloud: root?.querySelector("[role=alert]:not([hidden])")?.textContent ?? "",
    };
  },
  markup: () => `${document.documentElement.outerHTML}${element().shadowRoot?.innerHTML}`,
  marks: () => marks,
  setDirection(dir) {
    document.documentElement.dir = dir;
  },
  overflow: () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  states: () =>
    states.map((state) =>
      Object.values(state)
        .filter((part) => typeof part === "string")
        .join(" "),
    ),
  errors: () => errors,

  entered: () =>
    session && { member: session.member, gates: session.gates, suite: session.suite, words: session.words },
  logout: () => session?.logout(),
  send: (text, messageClass) => session?.send(text, messageClass === undefined ? {} : { class: messageClass }),
};

document.getElementById("enter")?.addEventListener("click", page.start);

const mark = () => {
  marks += 1;
};
Object.assign(globalThis, { page, mark });

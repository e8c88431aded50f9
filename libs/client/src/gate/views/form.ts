import { button, h } from "../dom.ts";
import { createField, formWith } from "../fields.ts";
import type { Say } from "../texts.ts";
import type { View } from "../view.ts";

/** What the page has not given. */
export interface Missing {
  readonly url: boolean;
  readonly key: "needed" | "optional" | "given";
  readonly member: boolean;
}

/** What the person gave instead; undefined: was not asked. */
export interface Filled {
  readonly url?: string | undefined;
  /** "" where there is none; taken away when it has served. */
  key?: string | undefined;
  readonly member?: string | undefined;
}

/**
 * @param before what they gave already: nobody types the same twice, but the key
 * @param isWrong their key was none
 * @param done returns false where the address is none
 */
export function formView(
  say: Say,
  missing: Missing,
  before: Filled,
  isWrong: boolean,
  done: (filled: Filled) => boolean,
): View {
  const fieldOf = (isThere: boolean, given: Parameters<typeof createField>[0]) => (isThere ? createField(given) : null);
  const url = fieldOf(missing.url, {
    label: say("form.url"),
    attributes: { type: "url", inputmode: "url", dir: "ltr" },
  });
  const key = fieldOf(missing.key !== "given", {
    label: say(missing.key === "optional" ? "form.keyOptional" : "form.key"),
    hint: say("form.keyHint"),
    wrong: isWrong ? say("form.wrong.key") : undefined,
    attributes: { type: "password", dir: "ltr" },
  });
  const member = fieldOf(missing.member, { label: say("form.member"), attributes: { autocomplete: "username" } });
  // Properties, which nobody reads in the markup.
  if (url !== null) url.input.value = before.url ?? "";
  if (member !== null) member.input.value = before.member ?? "";
  const fields = [url, key, member].filter((field) => field !== null);
  const submit = () => {
    const [address, appKey] = [url?.input.value.trim(), key?.input.value.trim()];
    if (address === "") return url?.fail(say("form.wrong.url"));
    if (appKey === "" && missing.key === "needed") return key?.fail(say("form.wrong.key"));
    if (!done({ url: address, key: appKey, member: member?.input.value.trim() })) url?.fail(say("form.wrong.url"));
  };
  return {
    name: "form",
    title: say("form.title"),
    body: [formWith(say("form.go"), submit, ...fields.flatMap(({ nodes }) => nodes))],
    focus: (isWrong ? key : fields[0])?.input ?? null,
    isIdle: true,
  };
}

/** Nothing is sent before the person has chosen to (docs/protocol.md section 4). */
export function unpinnedView(say: Say, done: (goesOn: boolean) => void): View {
  return {
    name: "unpinned",
    title: say("unpinned.title"),
    body: [
      h("p", { part: "warning", class: "warning", role: "alert" }, say("unpinned.text")),
      button(say("unpinned.back"), "back", () => done(false)),
      button(say("unpinned.go"), "unpinned", () => done(true)),
    ],
    focus: null,
    isIdle: true,
  };
}

/** The code in a message: written, or said digit by digit. */
export const codeIn = (text: string) => /\b(?:\d{6}|(?:\d, ){5}\d)\b/.exec(text)?.[0].replaceAll(", ", "") ?? "no code";

export const linkIn = (text: string) => /https?:\/\/\S+\/confirm\/\S+/.exec(text)?.[0] ?? "no link";

/** Types a number on the page behind a link. */
export const submit = (link: string, number: string) =>
  fetch(link, { method: "POST", body: new URLSearchParams({ number }), redirect: "manual" });

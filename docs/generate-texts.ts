import { english, type Text } from "../libs/client/src/gate/texts.ts";
import { cell, table } from "./marked-part.ts";

/** The texts of the element, as it has them. */
export function renderTexts(): string {
  const shown = (text: Text) =>
    typeof text === "string"
      ? cell(text)
      : Object.entries(text)
          .map(([form, each]) => `\`${form}\`: ${cell(each)}`)
          .join(" ");
  return table(
    ["text", "in English"],
    Object.entries(english).map(([key, text]) => [`\`${key}\``, shown(text)]),
  );
}

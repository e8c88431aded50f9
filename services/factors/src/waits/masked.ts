import type { Channel } from "./channel.ts";

const hidden = "\u2022\u2022\u2022";

/** Enough for its owner to know which one is meant, too little for anybody else to write to. */
export function masked(channel: Exclude<Channel, "webhook">, to: string): string {
  if (channel === "sms" || channel === "call") return `${hidden}${to.slice(-2)}`;
  const at = to.lastIndexOf("@");
  const host = to.slice(at + 1);
  const dot = host.lastIndexOf(".");
  const ending = dot > 0 && host.length - dot <= 8 ? host.slice(dot) : "";
  return `${firstOf(to)}${hidden}@${firstOf(host)}${hidden}${ending}`;
}

/** Whole characters: half a surrogate pair is no text. */
function firstOf(text: string): string {
  return [...text][0] ?? "";
}

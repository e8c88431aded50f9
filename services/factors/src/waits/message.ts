import type { Channel } from "./channel.ts";
import type { AddressedToPerson, Wait } from "./record.ts";
import type { WaitSecrets } from "./secrets.ts";

export interface ComposedMessage {
  readonly channel: Exclude<Channel, "webhook">;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** Epoch milliseconds: from then on it is good for nothing. */
  readonly untilMs: number;
}

/** What is sent. Composed when it is sent and not before: until then there is nothing that could be read in a queue. */
export function messageOf(
  waitId: string,
  wait: AddressedToPerson,
  secrets: WaitSecrets,
  publicUrl: string,
): ComposedMessage {
  const { channel, to, by, label, untilMs } = wait;
  const said = by === "code" ? secrets.codeOf(waitId) : `${publicUrl}/confirm/${secrets.tokenOf(waitId)}`;
  if (channel === "call") return { channel, to, untilMs, subject: "", text: spoken(label, said) };
  const compose = channel === "sms" ? textMessage : mail;
  return { channel, to, untilMs, ...compose(by, label, said) };
}

function textMessage(by: Wait["by"], label: string, said: string): { subject: string; text: string } {
  const text =
    by === "code"
      ? `${said} is your code for ${label}. Nobody else needs it: do not pass it on.`
      : `To let the waiting connection into ${label}, open ${said} and type the number that it shows. If it is not yours, do nothing.`;
  return { subject: "", text };
}

/** A line for each sentence, with a pause between. The code is said digit by digit, and twice: there is nothing to look it up in. */
function spoken(label: string, code: string): string {
  const digits = [...code].join(", ");
  return [
    `Hello. Somebody, hopefully you, is connecting to ${label}.`,
    `The code is: ${digits}.`,
    `Once more: ${digits}.`,
    "Nobody else needs it. If it was not you, do nothing.",
  ].join("\n");
}

function mail(by: Wait["by"], label: string, said: string): { subject: string; text: string } {
  const lines =
    by === "code"
      ? [
          `Somebody, hopefully you, is connecting to ${label} and waits for this code:`,
          "",
          `  ${said}`,
          "",
          "Nobody else needs it: do not pass it on. If it was not you, ignore this mail;",
          "without the code nobody gets in.",
        ]
      : [
          `Somebody, hopefully you, is connecting to ${label} and waits. To let them in,`,
          "open this page and type the number that the waiting screen shows:",
          "",
          `  ${said}`,
          "",
          "If it was not you, ignore this mail; without the number nobody gets in.",
        ];
  const subject = by === "code" ? `Your code for ${label}` : `Confirm your connection to ${label}`;
  return { subject, text: `${lines.join("\n")}\n` };
}

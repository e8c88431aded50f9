import { styleText } from "node:util";
import type { EventOf } from "./member-messages.ts";

type Frame = EventOf<"frame">;

/** Tells what happens, in plain words. */
export interface Narrator {
  heading(text: string): void;
  say(text: string): void;
  frame(who: string, frame: Frame): void;
  /** Something that was expected: whether it is so. */
  verdict(isSo: boolean, text: string): void;
}

const nameWidth = 9;
const colours = ["cyan", "magenta", "yellow", "blue"] as const;

/** Colours only on a terminal, and not where `NO_COLOR` is set. */
export function createNarrator(stream: NodeJS.WriteStream): Narrator {
  const colourOf = new Map<string, (typeof colours)[number]>();
  const paint = (style: Parameters<typeof styleText>[0], text: string) => styleText(style, text, { stream });
  const line = (text: string) => void stream.write(`${text}\n`);

  return {
    heading: (text) => line(`\n${paint("bold", text)}`),
    say: (text) => line(`  ${text}`),
    frame(who, frame) {
      const colour = colourOf.get(who) ?? colours[colourOf.size % colours.length] ?? "cyan";
      colourOf.set(who, colour);
      const arrow = frame.direction === "up" ? "→" : "←";
      line(`  ${paint(colour, who.padEnd(nameWidth))} ${arrow} ${frame.kind.padEnd(9)}  ${describeFrame(frame)}`);
    },
    verdict: (isSo, text) => line(`  ${isSo ? paint("green", "✓") : paint("red", "✗")} ${text}`),
  };
}

/** What one frame means, for somebody who has never seen the protocol. */
export function describeFrame({ direction, kind, summary }: Frame): string {
  const { edge, fingerprint, suite, mode, bytes, gates, gate, attemptsLeft, retry, code, name } = summary;
  switch (kind) {
    case "hello":
      return `${edge} shows a signed bundle of public keys; its identity is the one pinned in the app key (${fingerprint})`;
    case "open":
      return mode === "psk"
        ? `a sealed box, ${bytes} bytes, ${suiteName(suite)}: only who has the app key can make it, and the key stays here`
        : `a sealed box, ${bytes} bytes, ${suiteName(suite)}, without an app key`;
    case "challenge":
      return retry === true
        ? `sealed: that was wrong, again please: ${gates} (wrong answers left: ${attemptsLeft})`
        : `sealed: the box opened, now the next gate: ${gates}`;
    case "wait":
      return gate === "approval" || gate === "external"
        ? `sealed: somebody has to decide at ${gate}; the socket waits`
        : `sealed: a message went to somebody for ${gate} (${summary.status}); the socket waits`;
    case "start":
      return `sealed: picks ${gate}`;
    case "resend":
      return "sealed: the message once more, please";
    case "answer":
      return `sealed: an answer to ${gate}`;
    case "offer":
      return "sealed: another offer";
    case "cancel":
      return "sealed: gives up this attempt";
    case "accepted":
      return `sealed: let in, through ${gates}`;
    case "stepped-up":
      return `sealed: the session goes on, through ${gates}`;
    case "denied":
      return summary.sealed === true
        ? "sealed: denied, without a reason"
        : "denied, in the open: nothing was proven, so there is no key to seal with";
    case "revoked":
      return "sealed: this session has been ended for good";
    case "goodbye":
      return `sealed: goodbye (${name ?? code})`;
    case "message":
      return direction === "up"
        ? `a message of ${bytes} bytes for everybody on the socket`
        : `a message of ${bytes} bytes from somebody on the socket`;
    case "catch-up":
      return "sealed: what was said while nobody was here?";
    case "caught-up":
      return summary.complete === true ? "sealed: that was all" : "sealed: that is all that is still there";
    case "close":
      return `the connection is closed (${code})`;
  }
}

function suiteName(suite: unknown): string {
  return suite === "647a" ? "ML-KEM-768 with X25519" : "X25519";
}

import type { Closing, IdentCallback, PortcullisError, Session, SessionState, Waiting } from "@portcullis/client";
import type { KeyChange } from "@portcullis/client/end-to-end";
import { fingerprintWords } from "@portcullis/crypto/words";
import { harmless, harmlessJson } from "../harmless.ts";
import type { Terminal } from "../terminal.ts";
import { describeIdent } from "./ident.ts";
import type { Heard, Recipient } from "./voice.ts";

/** What happens, for a person or, as one JSON object per line, for a program. */
export interface Report {
  /** For people only. */
  say(line: string): void;
  /** Verified, before anything is told to it. */
  server(fingerprint: string): void;
  /** What the person may recognise the server by. */
  ident(shown: Parameters<IdentCallback>[0]): void;
  waiting(waiting: Waiting): void;
  /** Not let in. For programs only: people are told why on standard error. */
  refused(error: PortcullisError): void;
  /** @param to null: what is typed is not sealed beyond the server */
  accepted(session: Session, to: Recipient | null): void;
  state(state: SessionState): void;
  message(heard: Heard): void;
  /** Sealed for us, and not as it was said, or by somebody else. */
  notOpened(error: PortcullisError): void;
  /** The recipient has another key than was known. */
  keyChange(change: KeyChange): void;
  /** What was typed last went nowhere. */
  notSent(error: PortcullisError, limits: Session["limits"]): void;
  closed(closing: Closing): void;
}

export function createReport(terminal: Terminal, json: boolean): Report {
  if (json) return forPrograms(terminal);
  const say = terminal.print;
  return {
    say,
    server: (fingerprint) =>
      say(`The server that your app key names answers. Its words: ${fingerprintWords(fingerprint)}`),
    ident: (shown) => describeIdent(shown).forEach((line) => void say(line)),
    waiting: (waiting) => say(describe(waiting)),
    refused: () => undefined,
    accepted({ member, gates, edge, sealed, words, server, endToEnd }, to) {
      say(`You are in as ${harmless(member ?? "somebody")}, through ${gates.join(" and ")}, on ${edge}.`);
      say(`Words of this session, to compare with who else is in it: ${words}`);
      if (server.successorOf !== null)
        say(`The server has another key since your app key was made. Its last part is now:  ${server.fingerprint}`);
      if (to !== null) say(`What you type is sealed to ${to.name}, and the server cannot read it; Ctrl-D ends it.`);
      else if (endToEnd === "required")
        say(
          "Nothing goes out here but what is sealed to the owner's program: come again with --to and its fingerprint.",
        );
      else say(`What you type goes to everybody here${sealed ? ", sealed" : ""}; Ctrl-D ends it.`);
    },
    state(state) {
      if (state.is === "lost") say("(the connection is lost; trying another one)");
      else if (state.is === "resumed") say(`(it goes on, on ${state.edge})`);
      else if (state.is === "step-up") say("(the socket asks for more; what you type goes on when that is passed)");
      else if (state.is === "stepped-up") say(`(passed, through ${state.gates.join(" and ")})`);
      // Of what nobody took, whoever sent it is told where it was sent.
      else if (state.is === "gap") say("(something that was said meanwhile is lost)");
    },
    message({ message, answer, from }) {
      if (message.missed > 0) say(`(${message.missed} messages are missing here)`);
      if (answer !== null && answer.missed > 0) say(`(${answer.missed} sealed messages are missing here)`);
      say(`${harmless(from)}> ${harmless((answer ?? message).text())}`);
    },
    notOpened: ({ message }) => say(`(something sealed for you was not opened: ${message})`),
    keyChange: ({ name, from, to, words, vouched }) =>
      say(
        vouched
          ? `${name} has another key by now, which the one before has signed:  --to ${to}  (${words})`
          : `${name} shows another key than ${from}, which has not signed it: nothing is sealed to it. Ask its owner, by another way than this.`,
      ),
    notSent: (error, { maxBytes }) => say(`Not sent: ${notSentWords(error, maxBytes)}`),
    closed({ reason, what, retryAfterMs }) {
      const again = retryAfterMs === null ? "" : ` Come back in ${Math.ceil(retryAfterMs / 1_000)} s.`;
      say(`The session is over: ${what ?? reason}.${again}`);
    },
  };
}

function forPrograms(terminal: Terminal): Report {
  const tell = (event: string, fields: object) => terminal.print(harmlessJson({ event, ...fields }));
  return {
    say: () => undefined,
    server: (fingerprint) => tell("server", { fingerprint, words: fingerprintWords(fingerprint) }),
    ident: ({ ask, sign, signs, server: { words, randomart } }) =>
      tell("ident", { ask, sign, signs, words, randomart }),
    waiting: ({ gate, at, by, to, number, details, status, resendAtMs, untilMs, attemptsLeft, retry }) =>
      tell("waiting", { gate, at, by, to, number, details, status, resendAtMs, untilMs, attemptsLeft, retry }),
    refused: ({ code, retryable, retryAfterMs, closeCode, sealed }) =>
      tell("refused", { code, retryable, retryAfterMs, closeCode, sealed }),
    accepted: (
      { sid, member, gates, assurance, edge, sealed, expiresAt, words, endToEnd, server: { successorOf } },
      to,
    ) => tell("accepted", { sid, member, gates, assurance, edge, sealed, expiresAt, words, successorOf, endToEnd, to }),
    state: ({ is, ...more }) => tell(is, more),
    message({ message: { from, seq, place, id, missed, text }, answer }) {
      const sealedBy = answer && { ...answer.sender, seq: answer.seq, id: answer.id, missed: answer.missed };
      tell("message", { from, seq, place, id, missed, text: (answer?.text ?? text)(), sealedBy });
    },
    notOpened: ({ code }) => tell("not-opened", { code }),
    keyChange: (change) => tell("key-change", { ...change }),
    notSent: ({ code }) => tell("not-sent", { code }),
    closed: ({ code, name, reason, what, retry, retryAfterMs, sealed }) =>
      tell("closed", { code, name, reason, what, retry, retryAfterMs, sealed }),
  };
}

function notSentWords({ code, message }: PortcullisError, maxBytes: number): string {
  switch (code) {
    case "too-large":
      return `at most ${maxBytes} bytes go at once.`;
    case "untrusted-recipient":
      return "who is there now is not whom --to names.";
    case "not-found":
      return "nobody of that name has published a key on this socket. Is the program running?";
    default:
      return message;
  }
}

const channels: Readonly<Record<string, string>> = { email: "An e-mail", sms: "A text message", call: "A call" };

const callbackWords: Readonly<Record<Waiting["status"], string>> = {
  queued: "A service that decides on this is being told that you wait.",
  sent: "The service knows that you wait, and decides.",
  delayed: "The service could not be reached yet; it is being tried again.",
  failed: "The service could not be reached.",
  refused: "The service was not told: there were too many who wait.",
};

/** Nobody was sent anything by the person's own means: somebody else has to act. */
function describeApproval({ number, status, details: { given = 0, needed = 1 } }: Waiting): string {
  if (status === "refused") return "Nobody is asked to let you in: it was asked too often. Try again in an hour.";
  const count = needed === 1 ? "" : `  (${Number(given)} of ${Number(needed)})`;
  const who = needed === 1 ? "Somebody of the socket has" : `${Number(needed)} people of the socket have`;
  return `${who} to let you in. Tell them this number:  ${harmless(number ?? "")}${count}`;
}

function describe(waiting: Waiting): string {
  if (waiting.by === "approval") return describeApproval(waiting);
  const { gate, by, to, number, status } = waiting;
  if (by === "callback") return callbackWords[status];
  const message = `${channels[gate] ?? "A message"} to ${harmless(to)}`;
  switch (status) {
    case "queued":
      return by === "link"
        ? `${message} is on its way. Open its link and type this number there:  ${harmless(number ?? "")}`
        : `${message} is on its way. It has a code.`;
    case "sent":
      return `${message} was sent.`;
    case "delayed":
      return `${message} could not be sent yet; it is being tried again.`;
    case "failed":
      return `${message} could not be sent.`;
    case "refused":
      return `${message} was not sent: there were too many, or one just now.`;
  }
}

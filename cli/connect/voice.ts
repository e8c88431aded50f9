import type { Message, Session } from "@portcullis/client";
import { type Answer, createEndToEnd, type KeyChange } from "@portcullis/client/end-to-end";
import { isSealedBody } from "@portcullis/protocol";
import { exitCodes, Sorry } from "../exit.ts";

/** To whom what is typed is sealed, beyond the server. */
export interface Recipient {
  /** In the socket's directory. */
  readonly name: string;
  readonly fingerprint: string;
}

/** How what is typed is said, and what others say is heard. */
export interface Voice {
  say(text: string, kind: string | undefined): Promise<void>;
  /** Called in the order in which messages come. Null: it is sealed for somebody else. Rejects with `unopened` and `untrusted-recipient` as `EndToEnd.open`. */
  hear(message: Message): Promise<Heard | null>;
}

export interface Heard {
  readonly message: Message;
  /** What was sealed in it; null: the server could read it. */
  readonly answer: Answer | null;
  /** For people: who says it, and how. */
  readonly from: string;
}

/** @throws {Sorry} it is neither FINGERPRINT nor NAME=FINGERPRINT */
export function readRecipient(text: string): Recipient {
  const [, name = "consumer", fingerprint] = /^(?:([A-Za-z0-9_-]{1,64})=)?([A-Za-z0-9_-]{22})$/.exec(text) ?? [];
  if (fingerprint !== undefined) return { name, fingerprint };
  const shape = "--to is a fingerprint of 22 characters, as portcullis e2e show says it, or NAME=FINGERPRINT";
  throw new Sorry(exitCodes.usage, shape);
}

/** To everybody whom the socket lets hear it, and to the server. */
export function openVoice(session: Session): Voice {
  return {
    say: (text, kind) => session.send(text, { class: kind }),
    hear: async (message) => ({ message, answer: null, from: speakerOf(message) }),
  };
}

export async function sealedVoice(
  session: Session,
  { name, fingerprint }: Recipient,
  onKeyChange: (change: KeyChange) => void,
): Promise<Voice> {
  const sealed = await createEndToEnd(session, { recipients: { [name]: fingerprint }, onKeyChange });
  return {
    say: (text, kind) => sealed.send(text, { to: name, class: kind }),
    async hear(message) {
      // What the program says to all is not sealed end to end.
      if (!isSealedBody(message.bytes)) return { message, answer: null, from: `${speakerOf(message)}, not sealed` };
      const answer = await sealed.open(message);
      return answer === null ? null : { message, answer, from: `${answer.sender.name}, sealed` };
    },
  };
}

function speakerOf({ from }: Message): string {
  return from.member ?? "somebody";
}

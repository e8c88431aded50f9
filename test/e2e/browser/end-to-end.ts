import { type ConsumerSession, connect, connectConsumer } from "@portcullis/client";
import { createEndToEnd, createRecipient, type KeyChange, type Recipient } from "@portcullis/client/end-to-end";
import { parseSealedBody, type SuiteId } from "@portcullis/protocol";

/** Whose tab this is, once it has published. */
let program: { readonly session: ConsumerSession; readonly recipient: Recipient } | undefined;

/** Asked of the browser: one that has ML-KEM need not have SHAKE-256, by which a prekey's pair is derived. */
async function derivesPostQuantum(): Promise<boolean> {
  try {
    await crypto.subtle.digest({ name: "cSHAKE256", outputLength: 256, length: 256 } as never, new Uint8Array(1));
    return true;
  } catch {
    return false;
  }
}

/** What pages do that seal beyond the server: one is the owner's program, the others are members. */
export const endToEnd = {
  derivesPostQuantum,

  /** @param before the identity that this one follows */
  async publish(url: string, appKey: string, identity: string, before?: string) {
    const session = await connectConsumer(url, { appKey });
    const recipient = await createRecipient(session, { identity, before });
    program = { session, recipient };
    return { fingerprint: recipient.fingerprint, words: recipient.words };
  },

  /** Opens what comes next, and answers it. */
  async answer(text: string) {
    if (program === undefined) throw new Error("nothing is published here");
    for await (const message of program.session) {
      const letter = await program.recipient.open(message);
      if (letter === null) throw new Error("sealed for somebody else");
      await letter.sender.reply(text);
      const { suite } = parseSealedBody(message.bytes);
      return { heard: letter.text(), sender: letter.sender.fingerprint, suite };
    }
    throw new Error("closed");
  },

  async retire(): Promise<void> {
    await program?.session.close();
  },

  /** Says it to whoever is pinned, and waits for the answer where it could be sealed. */
  async ask(url: string, appKey: string, pinned: string, text: string, minSuite: SuiteId = "0020") {
    const changes: KeyChange[] = [];
    const session = await connect(url, { appKey, requireEndToEnd: true });
    const recipients = { consumer: pinned };
    const onKeyChange = (change: KeyChange) => void changes.push(change);
    const e2e = await createEndToEnd(session, { recipients, onKeyChange, minSuite });
    const { fingerprint } = e2e;
    try {
      await e2e.send(text);
      for await (const message of session) {
        const answer = await e2e.open(message);
        if (answer === null) throw new Error("sealed for somebody else");
        const { suite } = parseSealedBody(message.bytes);
        return { fingerprint, changes, heard: answer.text(), sender: answer.sender.fingerprint, suite };
      }
      throw new Error("closed");
    } catch (error) {
      return { fingerprint, changes, refused: error instanceof Error && "code" in error ? error.code : `${error}` };
    } finally {
      await session.close();
    }
  },
};

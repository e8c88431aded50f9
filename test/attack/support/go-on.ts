import { resumePskId, sealOpen } from "@portcullis/crypto";
import { parseBundle } from "@portcullis/protocol";
import { dial, type Frame } from "./attacker.ts";
import { destinationIn } from "./knock.ts";

/** Tries to go on with a session. @returns what is said to that; null where the connection is closed without a word */
export async function goOn(url: string, sid: string, secret: Uint8Array): Promise<Frame | null> {
  const own = await dial(url);
  const hello = await own.hello();
  const publicKey = parseBundle(hello.bundle).suites["0020"];
  if (publicKey === undefined) throw new Error("the server does not offer it");
  const psk = { id: resumePskId(sid), secret };
  const payload = { dst: destinationIn(url), resume: { next: 0 } };
  own.send((await sealOpen({ hello, suite: "0020", publicKey, psk, payload })).frame);
  const verdict = await own.next();
  own.leave();
  return verdict;
}

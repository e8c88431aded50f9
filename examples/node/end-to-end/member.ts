/**
 * Says something that only the owner's program can read.
 *
 *   PORTCULLIS_APP_KEY=pc1.… node examples/node/end-to-end/member.ts ws://localhost:8080/label/path FINGERPRINT "the text"
 */
import { connect, createEndToEnd } from "@portcullis/client";

const [url = "", fingerprint = "", text = ""] = process.argv.slice(2);
const session = await connect(url, { appKey: process.env.PORTCULLIS_APP_KEY ?? "", requireEndToEnd: true });
const sealed = await createEndToEnd(session, { recipients: { consumer: fingerprint } });
await sealed.send(text);
for await (const message of session) {
  const answer = await sealed.open(message);
  if (answer === null) continue;
  console.log(`${answer.sender.name}: ${answer.text()}`);
  break;
}
await session.close();

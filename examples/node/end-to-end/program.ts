/**
 * The owner's program, to which members say what the server must not read.
 *
 *   npm run portcullis -- e2e generate                            once; the fingerprint goes to the members' client
 *   PORTCULLIS_APP_KEY=pc1.… PORTCULLIS_E2E=pe1.… node examples/node/end-to-end/program.ts ws://localhost:8080/label/path prekeys.json
 *
 * The app key is one of role `consumer`, and the policy has `"encryption": { "endToEnd": "required" }`.
 */
import { connectConsumer, createRecipient, PortcullisError } from "@portcullis/client";
import { fileStore } from "./file-store.ts";

const [url = "", file = "prekeys.json"] = process.argv.slice(2);
const session = await connectConsumer(url, { appKey: process.env.PORTCULLIS_APP_KEY ?? "" });
const recipient = await createRecipient(session, {
  identity: process.env.PORTCULLIS_E2E ?? "",
  prekeys: fileStore(file),
});
console.log(`sealed to ${recipient.fingerprint}: ${recipient.words}`);
for await (const message of session) {
  try {
    const letter = await recipient.open(message);
    console.log({ from: letter?.sender.words, text: letter?.text() });
    await letter?.sender.reply(`I alone have read: ${letter.text()}`);
  } catch (error) {
    // What does not open was not said by a member, or not here; who left meanwhile hears nothing.
    if (!(error instanceof PortcullisError)) throw error;
    console.log({ problem: error.code });
  }
}

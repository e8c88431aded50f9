/**
 * The owner's program behind a socket: answers everybody, and tells all of them who came. As many of it may run as there is work for.
 *
 *   PORTCULLIS_APP_KEY=pc1.… node examples/node/consumer.ts ws://localhost:8080/label/path
 *
 * The app key is one of role `consumer` (portcullis owner key create SOCKET --role consumer).
 */
import { connectConsumer } from "@portcullis/client";

const [url = ""] = process.argv.slice(2);
const session = await connectConsumer(url, {
  appKey: process.env.PORTCULLIS_APP_KEY ?? "",
  onJoin: (peer) => void session.send(`${nameOf(peer)} came.`).catch(() => {}),
});
for await (const message of session) {
  const { gates, context } = message.from;
  console.log({ from: nameOf(message.from), gates, context, text: message.text() });
  // Who left meanwhile hears nothing, and that is no reason to stop.
  await message.reply(`I heard: ${message.text()}`).catch(() => {});
}

function nameOf({ member, memberProven }: { readonly member: string | null; readonly memberProven: boolean }): string {
  return memberProven && member !== null ? member : "somebody";
}

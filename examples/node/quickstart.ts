import { connect } from "@portcullis/client";

const [url = "", code = ""] = process.argv.slice(2);
const appKey = process.env.PORTCULLIS_APP_KEY ?? "";
const session = await connect(url, { appKey, answers: { otp: () => code } });

console.log(`let in as ${session.member}, through ${session.gates.join(" and ")}`);
await session.send("Hello, everybody.");
for await (const message of session) {
  console.log({ from: message.from.member, text: message.text() });
}

import { randomBytes } from "node:crypto";
import { type Chain, show } from "./chain.ts";
import { enter, hear } from "./client.ts";
import { makeMember, makeSocket } from "./owned.ts";

/** The short one of the description: an open socket, whose authentication and encryption are optional layers. */
export const open: Chain = {
  about: "key, question and e-mail; messages in the open",
  async play({ stage, sniffer, narrator, findings }) {
    narrator.heading("The owner makes an open socket: key, question, a code by e-mail; messages are not sealed");
    const policy = { gates: [{ gate: "key" }, { gate: "question" }, { gate: "email" }] };
    const socket = await makeSocket(stage, policy);
    const [alice, bob] = [await makeMember(stage, socket, "alice"), await makeMember(stage, socket, "bob")];
    const url = (name: string) => sniffer.through(`${socket.url}?id=${name}`);
    const come = ({ name, answerSecret, inbox }: typeof alice) =>
      enter({
        who: name,
        url: url(name),
        narrator,
        options: { appKey: socket.appKey, answerSecret, answers: { email: () => inbox.mailedCode() } },
      });

    narrator.heading(
      "Alice and Bob come in: the key opens the box, the client answers the question, a person reads the mail",
    );
    const [hers, his] = [await come(alice), await come(bob)];
    findings.gates = hers.gates;
    show(findings, "both got in through key, question and email", [hers, his].every(isThrough));
    show(findings, "their messages are not sealed", !hers.sealed && !his.sealed);

    narrator.heading("Alice says something to everybody");
    const text = `said in the open ${randomBytes(8).toString("hex")}`;
    await hers.send(text);
    show(findings, "Bob hears it", (await hear(his)) === text);
    const message = { name: "message", values: [text] };
    const secrets = [...socket.canaries, ...alice.canaries(), ...bob.canaries()];
    const seen = await sniffer.seen([message, ...secrets]);
    show(findings, "a sniffer reads the message, as the owner chose", seen.has("message"));
    show(
      findings,
      `and none of ${secrets.length} secrets of the gates`,
      [...seen].every((name) => name === "message"),
    );
    await Promise.all([hers.close(), his.close()]);
  },
};

function isThrough({ gates }: { readonly gates: readonly string[] }): boolean {
  return gates.join(" ") === "key question email";
}

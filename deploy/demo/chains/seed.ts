import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { identOf, type Question, type Waiting } from "@portcullis/client";
import { type Chain, type ChainParts, show } from "./chain.ts";
import { enter, hear, refusalOf } from "./client.ts";
import { makeMember, makeSocket, type OwnedMember, type OwnedSocket } from "./owned.ts";

const gates = [
  { gate: "key" },
  { gate: "otp" },
  { gate: "sms" },
  { gate: "approval", notify: "none" },
  { gate: "question", kind: "excerpt" },
  { gate: "captcha", cost: "low" },
  { gate: "ident", ask: "pick" },
];
const passedAll = gates.map(({ gate }) => gate).join(" ");
const approvalMsMax = 15_000;

/** The long one of the description, line by line. */
export const seed: Chain = {
  about: "the long chain: key, code, text message, a person who lets in, question, captcha, ident; sealed",
  async play(parts) {
    const { stage, narrator, findings, sniffer } = parts;
    narrator.heading(
      "The owner makes a socket behind the whole chain, with sealed messages, and gives each member a sign",
    );
    const socket = await makeSocket(stage, { gates, encryption: { session: "required" } });
    const [bob, alice] = [await withSign(parts, socket, "bob"), await withSign(parts, socket, "alice")];

    narrator.heading("Bob: key, one-time code, text message; a person lets him in; question, captcha, and his sign");
    const his = await come(parts, socket, bob);
    findings.gates = his.gates;
    show(findings, `Bob got in through ${passedAll}`, his.gates.join(" ") === passedAll);
    show(findings, "known by gates that are his alone", his.assurance.memberBound);
    const hers = await come(parts, socket, alice);

    await impostorStaysOut(parts, socket);

    const packet = `1234 ${randomBytes(6).toString("hex")}`;
    narrator.heading(`Bob seals a personal packet and sends it: ${packet}`);
    await his.send(packet);
    const heard = await hear(hers);
    narrator.say(`On the wire: ${await sniffer.glimpse()}`);
    show(findings, "it was broadcast, and Alice's client opened it", heard === packet);
    const secrets = [...socket.canaries, ...bob.canaries(), ...alice.canaries(), { name: "packet", values: [packet] }];
    const signs = [bob, alice].map(({ name, sign }) => ({ name: `sign of ${name}`, values: [sign] }));
    const seen = await sniffer.seen([...secrets, ...signs]);
    show(findings, `a sniffer has seen none of ${secrets.length + signs.length} secrets`, seen.size === 0);
    await Promise.all([his.close(), hers.close()]);
  },
};

async function impostorStaysOut(parts: ChainParts, socket: OwnedSocket): Promise<void> {
  const { narrator, findings } = parts;
  narrator.heading(
    "Somebody has Carol's key, phones and answer secret, and is let in by mistake; her sign they do not know",
  );
  const carol = await withSign(parts, socket, "carol");
  let picked = 0;
  const guess = ({ signs }: Shown) => {
    picked += 1;
    return `${signs.findIndex((sign) => sign !== carol.sign) + 1}`;
  };
  const refused = await refusalOf(entrance(parts, socket, carol, guess));
  // At her sign and not before, or this would show nothing about signs.
  show(
    findings,
    `whoever picks wrong signs is refused (${refused}, after ${picked})`,
    refused === "denied" && picked > 0,
  );
}

interface Member extends OwnedMember {
  /** ASCII art that the member knows. */
  readonly sign: string;
}

async function withSign({ stage }: ChainParts, socket: OwnedSocket, name: string): Promise<Member> {
  const member = await makeMember(stage, socket, name, { authenticator: true });
  const mark = randomBytes(3).toString("hex");
  const sign = [" /\\_/\\", `( o.o )  ${mark}`, " > ^ <"].join("\n");
  await stage.owner.put(`/v1/sockets/${socket.id}/members/${name}/sign`, { art: sign });
  return { ...member, sign };
}

type Shown = ReturnType<typeof identOf>;

function come(parts: ChainParts, socket: OwnedSocket, member: Member) {
  return enter(entrance(parts, socket, member, ({ signs }) => `${signs.indexOf(member.sign) + 1}`));
}

/** @param pick which of the signs that are shown */
function entrance(parts: ChainParts, socket: OwnedSocket, member: Member, pick: (shown: Shown) => string) {
  const { sniffer, narrator } = parts;
  const interceptor = createInterceptor(parts, socket);
  return {
    who: member.name,
    url: sniffer.through(`${socket.url}?id=${member.name}`),
    narrator,
    options: {
      appKey: socket.appKey,
      answerSecret: member.answerSecret,
      onWait: interceptor.onWait,
      answers: {
        otp: () => member.code(),
        sms: () => member.inbox.code(),
        ident: ({ details }: Question) => pick(identOf(details)),
      },
    },
  };
}

/** A person of the socket, who is told the number by whoever waits, and types it. */
function createInterceptor({ stage, narrator }: ChainParts, { id }: OwnedSocket) {
  const approvals = `/v1/sockets/${id}/approvals`;
  let number: string | null = null;

  async function letIn(shown: string): Promise<void> {
    for (const untilMs = Date.now() + approvalMsMax; Date.now() < untilMs; await sleep(100)) {
      const { approvals: pending } = await stage.owner.get<{ approvals: readonly { id: string }[] }>(approvals);
      const [first] = pending;
      if (first === undefined) continue;
      narrator.say(`The owner sees who waits, types the number ${shown}, and lets them in.`);
      await stage.owner.post(`${approvals}/${first.id}`, { decision: "approve", number: shown });
      return;
    }
    narrator.say("Nobody was seen to wait.");
  }

  return {
    onWait(waiting: Waiting) {
      if (waiting.by !== "approval" || waiting.number === null || waiting.number === number) return;
      number = waiting.number;
      letIn(number).catch((error: unknown) => narrator.say(`The owner could not let anybody in: ${error}`));
    },
  };
}

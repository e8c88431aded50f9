import { setTimeout as sleep } from "node:timers/promises";
import { PortcullisError, type Session } from "@portcullis/client";
import type { Stage } from "../stage.ts";
import { type Chain, type ChainParts, show } from "./chain.ts";
import { enter, hear } from "./client.ts";
import { makeMember, makeSocket, type OwnedMember, type OwnedSocket } from "./owned.ts";

const freeTries = 5;
const policy = {
  gates: [{ gate: "key" }, { gate: "otp" }],
  onFailure: { then: "decoy", attempts: 10, free: freeTries },
  encryption: { session: "required" },
};
const line = "the new plan is in the usual place";
const script = { lines: [{ after: "1s", from: "ann", text: line }], repeat: true };
const laptop = "old laptop";
const spied = "where is the usual place?";
/** One in three is believed: as many as this are wrong once in 10^17 times. */
const codesMax = 100;
const patienceMs = 15_000;

/** Somebody found a key that the owner has planted, somebody else has stolen a real one; both are let in somewhere else. */
export const espionage: Chain = {
  about:
    "whoever found a planted key, or stole one, is let into a decoy; nobody real hears them, the owner reads what they did",
  async play(parts) {
    const { stage, narrator, findings, sniffer } = parts;
    narrator.heading(
      "The owner makes a socket with a decoy, plants a key on an old laptop, and writes what is heard there",
    );
    const socket = await makeSocket(stage, policy);
    const bob = await makeMember(stage, socket, "bob", { authenticator: true });
    const planted = await plant(stage, socket);
    await stage.owner.put(`/v1/sockets/${socket.id}/decoy`, script);

    narrator.heading("Bob comes in, by his key and a code");
    const his = await enter({
      ...as(parts, socket, "bob", "bob"),
      options: { appKey: socket.appKey, answers: { otp: () => bob.code() } },
    });
    findings.gates = his.gates;
    const heardByBob = listen(his);

    narrator.heading("Mallory found the key, says to be Bob, and tries one code after the other");
    const { session: hers, tried } = await breakIn(parts, socket, { who: "mallory", as: "bob", appKey: planted });
    narrator.say(
      `Let in, as it seems, with the code number ${tried}. Nobody has looked at any of them: it is a room of Mallory's own.`,
    );
    show(findings, "Mallory is told to be Bob", hers.member === "bob" && hers.assurance.memberBound);
    show(findings, "and hears somebody talk", (await hear(hers)) === line);
    await hers.send(spied);
    await his.send("nobody else is here");
    await sleep(1_000);
    show(findings, "Bob has heard nothing of it", heardByBob.length === 0);
    await ownerReads(parts, socket, hers);
    await thiefLands(parts, socket);

    const secrets = [...socket.canaries, ...bob.canaries(), { name: "what Mallory said", values: [spied] }];
    const seen = await sniffer.seen(secrets);
    show(findings, "a sniffer between clients and edge has seen none of it", seen.size === 0);
    await stillGood(parts, socket, bob);
    await his.close();
  },
};

async function plant({ owner }: Stage, { id }: OwnedSocket): Promise<string> {
  const body = { label: laptop, canary: true };
  return (await owner.post<{ key: string }>(`/v1/sockets/${id}/keys`, body)).key;
}

function as({ sniffer, narrator }: ChainParts, socket: OwnedSocket, who: string, name: string) {
  return { who, url: sniffer.through(`${socket.url}?id=${name}`), narrator };
}

function listen(session: Session): string[] {
  const heard: string[] = [];
  void (async () => {
    for await (const message of session) heard.push(message.text());
  })();
  return heard;
}

interface Intruder {
  readonly who: string;
  /** The member whom they say to be. */
  readonly as: string;
  readonly appKey: string;
}

async function breakIn(parts: ChainParts, socket: OwnedSocket, { who, as: name, appKey }: Intruder) {
  let tried = 0;
  const otp = () => {
    tried += 1;
    return String(tried).padStart(6, "0");
  };
  while (tried < codesMax) {
    try {
      return {
        session: await enter({ ...as(parts, socket, who, name), options: { appKey, answers: { otp } } }),
        tried,
      };
    } catch (error) {
      if (!(error instanceof PortcullisError) || error.code !== "denied") throw error;
    }
  }
  throw new Error("nothing that Mallory tried was believed");
}

interface Shown {
  readonly decoys: readonly { readonly room: string }[];
  readonly sessions: readonly { readonly sid: string }[];
  readonly records: readonly Written[];
  readonly alerts: readonly { readonly kind: string; readonly keyLabel: string | null }[];
}

interface Written {
  readonly deed: string;
  readonly gate: string | null;
  readonly believed: boolean | null;
  readonly body: string | null;
}

/** As the owner reads it, one deed a line. */
function told({ deed, gate, believed, body }: Written): string {
  if (body !== null) return `${deed.padEnd(9)}${textOf(body)}`;
  return gate === null ? deed : `${deed.padEnd(9)}${gate}: ${believed ? "believed" : "not believed"}`;
}

function textOf(body: string): string {
  return Buffer.from(body, "base64url").toString();
}

async function ownerReads(
  { stage, narrator, findings }: ChainParts,
  { id }: OwnedSocket,
  hers: Session,
): Promise<void> {
  const { owner } = stage;
  narrator.heading("The owner looks who is there, and reads what Mallory did");
  const { sessions } = await owner.get<Shown>(`/v1/sockets/${id}/sessions`);
  show(
    findings,
    "Mallory is not among those who are on the socket",
    sessions.length === 1 && sessions[0]?.sid !== hers.sid,
  );
  const { decoys } = await owner.get<Shown>(`/v1/sockets/${id}/decoys`);
  const room = `/v1/sockets/${id}/decoys/${decoys[0]?.room}`;
  const read = async () => (await owner.get<Shown>(room)).records;
  const isSaid = ({ body }: Written) => body !== null && textOf(body) === spied;
  let records = await read();
  for (const untilMs = Date.now() + patienceMs; !records.some(isSaid) && Date.now() < untilMs; records = await read())
    await sleep(200);
  for (const record of records) narrator.say(told(record));
  show(findings, `the owner reads it: ${spied}`, records.some(isSaid));
  const { alerts } = await owner.get<Shown>(`/v1/sockets/${id}/alerts`);
  const isFound = alerts.some(({ kind, keyLabel }) => kind === "canary-key" && keyLabel === laptop);
  show(findings, `the owner was told at once which key it was that Mallory found: the one of the ${laptop}`, isFound);
  await owner.delete(room);
  const { what } = await hers.closed;
  show(findings, `the owner has enough of it, and Mallory is put out (${what})`, what === "kicked");
}

/** With a real key it takes the free tries first: an honest member's typing errors lead nowhere. */
async function thiefLands(parts: ChainParts, socket: OwnedSocket): Promise<void> {
  const { stage, narrator, findings } = parts;
  narrator.heading("Trudy has stolen the real key, says to be Ann, and guesses as well");
  await makeMember(stage, socket, "ann", { authenticator: true });
  const { session, tried } = await breakIn(parts, socket, { who: "trudy", as: "ann", appKey: socket.appKey });
  narrator.say(`Let in, as it seems, with the code number ${tried}: the first ${freeTries} of them were looked at.`);
  const { sessions } = await stage.owner.get<Shown>(`/v1/sockets/${socket.id}/sessions`);
  const isElsewhere = tried > freeTries && session.member === "ann" && sessions.every(({ sid }) => sid !== session.sid);
  show(findings, "a stolen key leads into a decoy too, once its free tries are spent", isElsewhere);
  await session.close();
}

/** What was asked for in a decoy was looked at by nobody. */
async function stillGood(parts: ChainParts, socket: OwnedSocket, bob: OwnedMember): Promise<void> {
  const before = await parts.stage.owner.get<Shown>(`/v1/sockets/${socket.id}/sessions`);
  show(parts.findings, `${bob.name} is there as before`, before.sessions.length === 1);
}

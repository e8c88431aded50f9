import { type Chain, type ChainParts, show } from "./chain.ts";
import { enter, refusalOf } from "./client.ts";
import { makeMember, makeSocket, type OwnedSocket } from "./owned.ts";

interface Ticket {
  readonly ticket: string;
  /** Of the server, where the ticket stands for the app key as well. */
  readonly pin?: string;
}

const presentersAtOnce = 20;

/** Login by a web post first, on the account; the socket checks the one-time ticket, and kicks or proceeds. */
export const ticket: Chain = {
  about: "a web post gives a one-time ticket; the owner's backend and session have them too",
  async play(parts) {
    const { stage, narrator, findings, sniffer } = parts;
    narrator.heading("The owner makes a socket that wants a ticket before anything else, and then the key");
    const socket = await makeSocket(stage, { before: { ticket: "required" }, gates: [{ gate: "key" }] });
    const bob = await makeMember(stage, socket, "bob");
    const as = (given: string | undefined, who = "bob") => ({
      who,
      url: sniffer.through(`${socket.url}?id=bob`),
      narrator,
      options: { appKey: socket.appKey, ...(given === undefined ? {} : { ticket: given }) },
    });

    narrator.heading("Bob posts his passphrase to the socket's own address, over http");
    const { status: refused } = await post(socket.url, { id: "bob", passphrase: "not his passphrase" });
    show(findings, `a wrong passphrase gets none (${refused})`, refused === 401);
    const { body: first } = await post(socket.url, { id: "bob", passphrase: bob.passphrase });
    const session = await enter(as(first.ticket));
    findings.gates = session.gates;
    const isKnown = session.assurance.memberBound && session.member === "bob";
    show(findings, "with the ticket the socket lets him in, by name", isKnown);
    await session.close();

    narrator.heading("The same ticket once more, and none at all: kicked");
    const [again, none] = [await refusalOf(as(first.ticket)), await refusalOf(as(undefined))];
    show(findings, `a used ticket is refused (${again})`, again === "denied");
    show(findings, `so is whoever has none (${none})`, none === "denied");

    await onlyOneOfMany(parts, socket, bob.passphrase, as);
    await ownersTickets(parts, socket, as);
    const seen = await sniffer.seen([
      ...socket.canaries,
      ...bob.canaries(),
      { name: "ticket", values: [first.ticket] },
    ]);
    show(findings, "a sniffer between clients and edge has seen no ticket and no key", seen.size === 0);
  },
};

async function onlyOneOfMany(
  { narrator, findings }: ChainParts,
  { url }: OwnedSocket,
  passphrase: string,
  as: (ticket: string) => Parameters<typeof refusalOf>[0],
): Promise<void> {
  narrator.heading(`One ticket, presented ${presentersAtOnce} times at once`);
  const { body } = await post(url, { id: "bob", passphrase });
  const silent = { ...as(body.ticket), narrator: quiet };
  const verdicts = await Promise.all(Array.from({ length: presentersAtOnce }, () => refusalOf(silent)));
  const accepted = verdicts.filter((verdict) => verdict === "accept").length;
  show(findings, `of ${presentersAtOnce} connections with one ticket one is let in (${accepted})`, accepted === 1);
}

async function ownersTickets(
  { stage, narrator, findings, sniffer }: ChainParts,
  { id, url }: OwnedSocket,
  as: (ticket: string) => Parameters<typeof enter>[0],
): Promise<void> {
  narrator.heading("The owner's backend has signed Bob in itself, and fetches a ticket for him");
  const minted = await stage.owner.post<Ticket>(`/v1/sockets/${id}/tickets`, { member: "bob" });
  const hers = await enter(as(minted.ticket));
  show(findings, "the backend's ticket lets Bob in", hers.member === "bob");
  await hers.close();

  narrator.heading("The owner, who is signed in, reaches the socket by a ticket of their own: no key, no gate");
  const own = await stage.owner.post<Ticket>(`/v1/sockets/${id}/tickets`, { role: "owner" });
  const session = await enter({
    who: "owner",
    url: sniffer.through(url),
    narrator,
    options: { ticket: own.ticket, pin: own.pin },
  });
  show(findings, "the owner's ticket lets the owner in", session.gates.join(" ") === "ticket");
  await session.close();
}

/** As a program posts. */
async function post(socketUrl: string, body: object): Promise<{ readonly status: number; readonly body: Ticket }> {
  const answer = await fetch(socketUrl.replace(/^ws/, "http"), {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Ticket };
}

const quiet = { heading: ignore, say: ignore, frame: ignore, verdict: ignore };

function ignore(): void {}

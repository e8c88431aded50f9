import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Receiver, signed, startReceiver } from "../../libs/runtime/test/support/webhook-receiver.ts";
import { confirmAddress, person } from "../e2e/support/account.ts";
import { type IdentityProvider, startIdentityProvider } from "../e2e/support/identity-provider.ts";
import { at } from "../e2e/support/sessions.ts";
import { makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { answered, elsewhere, judgedAnew, outboxKey, type Surroundings, setPolicy, ways } from "../e2e/support/ways.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type AtTheGate, atTheGate, rightAnswer } from "./support/at-the-gate.ts";
import { dial } from "./support/attacker.ts";
import { destinationIn, makeOpen } from "./support/knock.ts";
import { liveSessions } from "./support/sessions.ts";

vi.setConfig({ testTimeout: 30_000 });

let world: World;
let provider: IdentityProvider;
let program: Receiver;
/** The owner, as a person at a screen. */
let approver: { readonly cookie: string } & ReturnType<typeof person>;
beforeAll(async () => {
  const env = { OUTBOX_KEY: outboxKey, OUTBOUND_ALLOW: "http://127.0.0.1", TRUSTED_PROXIES: "127.0.0.1,::1" };
  world = await startWorld({ replicas: true, env });
  [provider, program] = [await startIdentityProvider(), await startReceiver()];
  const who = person(world, world.credentials);
  const cookie = await who.signedIn();
  await confirmAddress(who, cookie);
  approver = { ...who, cookie };
}, 60_000);
afterAll(async () => {
  await world.close();
  await Promise.all([provider.close(), program.close()]);
});

/** Gives the answer for one of those who are at the gate. @returns whether it was taken */
type Present = (index: number) => Promise<boolean>;

interface Contest {
  readonly item: object;
  /**
   * The right answer for the first of them: typed, computed, or said by whoever decides. Whoever looked on has it as well.
   *
   * @param become what is made of it before it is given
   */
  overheard(all: readonly AtTheGate[], become: (answer: string) => string): Promise<Present>;
}

/** The answer is said on each connection. */
async function answers(around: Surroundings, name: string): Promise<Contest> {
  const way = await ways[name]?.(around);
  if (way === undefined) throw new Error(`nobody knows how to pass ${name}`);
  return {
    item: way.item,
    async overheard(all, become) {
      for (const each of way.waits ? all : []) await each.start();
      const [first] = all;
      const value = first === undefined ? "" : become(await rightAnswer(way, around.socket, first));
      return async (index) => {
        const who = all[index];
        await who?.answer(value);
        return (await who?.isLetIn()) === true;
      };
    },
  };
}

/** The number that one of them shows is typed for each of them. */
async function approvals({ socket }: Surroundings): Promise<Contest> {
  const approvals = `/v1/sockets/${socket.id}/approvals`;
  const listed = async () =>
    (await approver.get(approvals, approver.cookie)).body.approvals as readonly { readonly id: string }[];
  return {
    item: { gate: "approval", notify: "none" },
    async overheard(all, become) {
      const waiting: { readonly id: string; readonly number: string }[] = [];
      for (const each of all) {
        const { number } = await each.start();
        const added = (await listed()).find(({ id }) => waiting.every((known) => known.id !== id));
        waiting.push({ id: added?.id ?? "none", number: String(number) });
      }
      const number = become(waiting[0]?.number ?? "none");
      return async (index) => {
        const one = waiting[index];
        // It has three digits: whoever happens to show the same one is rightly let in.
        if (one === undefined || (index > 0 && one.number === number)) return false;
        const { status } = await approver.post(
          `${approvals}/${one.id}`,
          { decision: "approve", number },
          approver.cookie,
        );
        return status === 200;
      };
    },
  };
}

/** The signed callback for one of them is sent to the address of each of them. */
async function callbacks({ socket }: Surroundings): Promise<Contest> {
  const { webhook, secret } = await world.owner.post<{ webhook: { id: string }; secret: string }>(
    `/v1/sockets/${socket.id}/webhooks`,
    { url: program.url, purpose: "test" },
  );
  const told = () => program.deliveries.filter(({ data }) => data.socket === socket.id);
  return {
    item: { gate: "external", webhook: webhook.id },
    async overheard(all, become) {
      for (const each of all) await each.start();
      await vi.waitFor(() => expect(told()).toHaveLength(all.length), { timeout: 10_000 });
      const body = '{"decision":"confirm"}';
      const headers = signed(secret, body);
      const signature = become(headers["webhook-signature"]);
      const message = { method: "POST", headers: { ...headers, "webhook-signature": signature }, body };
      return async (index) => (await fetch(String(told()[index]?.data.callback), message)).ok;
    },
  };
}

const contests: Readonly<Record<string, (around: Surroundings) => Promise<Contest>>> = {
  ...Object.fromEntries(Object.keys(ways).map((name) => [name, (around: Surroundings) => answers(around, name)])),
  approval: approvals,
  external: callbacks,
};

/** So many connections of bob at one gate, over two edges, and one right answer. Nobody has a second try, and none of them pays for the others. */
async function meet(name: string, connections: number, become = (answer: string) => answer) {
  const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }] });
  const contest = await contests[name]?.({ world, socket, provider, program });
  if (contest === undefined) throw new Error(`no contest at ${name}`);
  if (elsewhere.includes(name)) await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
  await setPolicy({ world, socket, provider, program }, [contest.item], {
    onFailure: { attempts: 1, free: 100, work: 0 },
  });
  const all = await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      atTheGate(at(world.edges[index % 2], `${socket.url}?id=bob`), socket, ownNetwork()),
    ),
  );
  return {
    socket,
    present: await contest.overheard(all, become),
    leave() {
      for (const { knock } of all) knock.leave();
    },
  };
}

/** One character is another one. */
function altered(answer: string): string {
  const middle = Math.floor(answer.length / 2);
  return `${answer.slice(0, middle)}${answer[middle] === "1" ? "2" : "1"}${answer.slice(middle + 1)}`;
}

let networks = 0;
/** What goes wrong from one network makes the proof of work dearer for it, and is counted there. */
function ownNetwork(): string {
  networks += 1;
  return `198.18.${networks >> 8}.${networks & 255}`;
}

/** Where somebody else decides, whoever is let in is so a moment later: first their handshake has to hear of it. */
async function inside(socket: OwnedSocket, expected: number): Promise<void> {
  const listed = async () => expect(await liveSessions(world, socket.id)).toHaveLength(expected);
  await vi.waitFor(listed, { timeout: 5_000 });
  await sleep(50);
  await listed();
}

/*
 * What can be seen, relayed or copied is good for nothing once it has let somebody in (of codes RFC 6238 section 5.2 says so), and not for two who are
 * quick either: whichever replica looks at it must not pass it because the other one has not said yet that it did.
 */
describe.concurrent.each(Object.keys(contests).filter((name) => !judgedAnew.includes(name)))(
  "one right answer to %s",
  (name) => {
    test("lets nobody in a second time, at another edge", async () => {
      const { present, socket, leave } = await meet(name, 2);
      expect(await present(0)).toBe(true);
      expect(await present(1)).toBe(false);
      await inside(socket, 1);
      leave();
    });

    test("lets one in of eight who give it at once over two edges", async () => {
      const { present, socket, leave } = await meet(name, 8);
      const taken = await Promise.all(Array.from({ length: 8 }, (_, index) => present(index)));
      expect(taken.filter(Boolean)).toHaveLength(1);
      await inside(socket, 1);
      leave();
    });
  },
);

test.concurrent.each(Object.keys(contests))(
  "an answer to %s lets nobody in where one character of it is another one",
  async (name) => {
    const { present, socket, leave } = await meet(name, 1, altered);
    expect(await present(0)).toBe(false);
    await inside(socket, 0);
    leave();
  },
);

test.each(judgedAnew)(
  "an answer to %s lets in whoever gives it, as long as the owner's program says so",
  async (name) => {
    const { present, socket, leave } = await meet(name, 8);
    const judged = () =>
      program.deliveries.filter(({ type, data }) => type.endsWith(".judge") && data.socket === socket.id);
    const taken = await Promise.all(Array.from({ length: 8 }, (_, index) => present(index)));
    expect(taken).not.toContain(false);
    expect(judged()).toHaveLength(8);
    leave();
  },
);

test("one proof of the app key lets in on the connection that it was made for, of eight that say it at once over two edges", async () => {
  const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }], anonymous: true });
  const all = await Promise.all(Array.from({ length: 8 }, (_, index) => dial(at(world.edges[index % 2], socket.url))));
  const [hello] = await Promise.all(all.map((each) => each.hello()));
  if (hello === undefined) throw new Error("no hello came");
  const { frame } = await makeOpen(hello, { appKey: socket.appKey, dst: destinationIn(socket.url) });
  for (const each of all) each.send(frame);
  const heard = await Promise.all(all.map((each) => each.next()));
  // Who is let in hears it in a sealed record.
  expect(heard.map((each) => Buffer.isBuffer(each))).toEqual(all.map((_, index) => index === 0));
  expect(await liveSessions(world, socket.id)).toHaveLength(1);
  for (const each of all) each.leave();
});

test("every gate that the opening does not decide is among them, and every kind of question", () => {
  expect(Object.keys(contests).toSorted()).toEqual([...answered, ...elsewhere].toSorted());
});

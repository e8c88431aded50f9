import { randomInt } from "node:crypto";
import { connect, type Waiting } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { codeIn, linkIn, submit } from "./support/sent.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startTcpProxy, type TcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

const outboxKey = "outbox-key-of-this-test-0123";
const keeper = sessionKeeper();
let world: World;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { OUTBOX_KEY: outboxKey } });
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

interface Message {
  readonly channel: string;
  readonly to: string;
  readonly text: string;
}

/** Another contact each time: limits are of contacts. */
async function bobOn(socket: OwnedSocket): Promise<{ email: string; phone: string }> {
  const contacts = { email: `bob-${randomInt(10 ** 9)}@example.com`, phone: `+49${randomInt(10 ** 9, 10 ** 10)}` };
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", contacts });
  return contacts;
}

async function sentTo(to: string): Promise<Message[]> {
  const answer = await fetch(`${world.url}/v1/outbox?limit=100`, { headers: { authorization: `Bearer ${outboxKey}` } });
  const { messages } = (await answer.json()) as { messages: Message[] };
  return messages.filter((message) => message.to === to);
}

async function textTo(to: string): Promise<string> {
  await expect.poll(async () => (await sentTo(to)).length, { timeout: 10_000 }).toBe(1);
  return (await sentTo(to))[0]?.text ?? "";
}

describe("a gate that waits", () => {
  test.for([
    ["email", "email"],
    ["sms", "phone"],
    ["call", "phone"],
  ] as const)("%s lets in who types the code that was sent", async ([gate, field]) => {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, { gate }] });
    const contacts = await bobOn(socket);
    const shown: Waiting[] = [];
    const session = await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      answers: { [gate]: async () => codeIn(await textTo(contacts[field])) },
      onWait: (waiting) => void shown.push(waiting),
    });
    expect(session.gates).toEqual(["key", gate]);
    expect(session.assurance).toEqual({ key: true, memberBound: true, gates: [gate] });
    expect(shown.map(({ status }) => status)).toEqual(["queued", "sent"]);
    expect(shown[0]).toMatchObject({ by: "code", number: null, retry: false });
    expect(shown[0]?.to).not.toContain(contacts[field].slice(0, 6));
    expect(await sentTo(contacts[field])).toHaveLength(1);
  });

  test("by link: opening it does nothing, the number lets in at once, and nothing is typed into the client", async () => {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, { gate: "email", by: "link" }] });
    const { email } = await bobOn(socket);
    const waits: Waiting[] = [];
    const entering = keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      onWait: (waiting) => void waits.push(waiting),
    });
    const link = linkIn(await textTo(email));
    expect(await (await fetch(link)).text()).toContain('name="number"');
    await fetch(link);
    const number = waits[0]?.number ?? "";
    expect(number).toMatch(/^[1-9]\d\d$/);
    expect((await submit(link, number === "111" ? "222" : "111")).status).toBe(422);
    expect((await submit(link, number)).status).toBe(200);
    const session = await entering;
    expect(session.gates).toEqual(["key", "email"]);
    expect((await fetch(link)).status).toBe(410);
  });

  test("wrong codes end the handshake, and another code does not come of it", async () => {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, { gate: "sms" }] });
    const { phone } = await bobOn(socket);
    const wrong = async () => (codeIn(await textTo(phone)) === "111111" ? "222222" : "111111");
    const entering = connect(`${socket.url}?id=bob`, { appKey: socket.appKey, answers: { sms: wrong } });
    await expect(entering).rejects.toMatchObject(denial);
    expect(await sentTo(phone)).toHaveLength(1);
  });

  test("a question is answered by the client itself, under the member's answer secret", async () => {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, { gate: "question" }] });
    await bobOn(socket);
    const url = `/v1/sockets/${socket.id}/members/bob/answer-secret`;
    const { secret: before } = await world.owner.post<{ secret: string }>(url);
    const { secret } = await world.owner.post<{ secret: string }>(url);
    const enter = (answerSecret: string) =>
      keeper.connect(`${socket.url}?id=bob`, { appKey: socket.appKey, answerSecret });
    await expect(enter(before)).rejects.toMatchObject(denial);
    const session = await enter(secret);
    expect(session.assurance.gates).toEqual(["question"]);
    await world.owner.delete(url);
    expect(await session.closed).toMatchObject({ reason: "revoked", what: "kicked" });
  });
});

describe("a client whose connection breaks while it waits", () => {
  let proxy: TcpProxy;
  const here = () => world.edges[0] ?? "";
  const elsewhere = () => world.edges[1] ?? "";
  beforeEach(async () => {
    proxy = await startTcpProxy(here());
  });
  afterEach(() => proxy.close());

  async function waiting(gate: object) {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, gate] });
    const contacts = await bobOn(socket);
    const waits: Waiting[] = [];
    const url = proxy.through(`${socket.url}?id=bob`);
    const live = async () =>
      (await world.owner.get<{ sessions: { sid: string; edge: string }[] }>(`/v1/sockets/${socket.id}/sessions`))
        .sessions;
    return { socket, ...contacts, waits, url, live };
  }

  test("goes on at the same gate over another edge, and nothing is sent a second time", async () => {
    const one = await waiting({ gate: "email", by: "link" });
    const entering = keeper.connect(one.url, {
      appKey: one.socket.appKey,
      onWait: (each) => void one.waits.push(each),
    });
    const link = linkIn(await textTo(one.email));
    await expect.poll(() => one.waits.at(-1)?.status).toBe("sent");
    const before = one.waits.length;
    proxy.cut();
    proxy.leadTo(elsewhere());
    await expect.poll(() => one.waits.length).toBe(before + 1);
    expect(one.waits.at(-1)).toMatchObject({ number: one.waits[0]?.number, status: "sent", at: "1" });
    expect((await submit(link, one.waits[0]?.number ?? "")).status).toBe(200);
    const session = await entering;
    expect(session.edge).toBe("edge-2");
    expect(await one.live()).toMatchObject([{ sid: session.sid, edge: "edge-2" }]);
    expect(await sentTo(one.email)).toHaveLength(1);
  });

  test("that was confirmed while it was away is let in when it comes back, once", async () => {
    const one = await waiting({ gate: "email", by: "link" });
    const entering = keeper.connect(one.url, {
      appKey: one.socket.appKey,
      onWait: (each) => void one.waits.push(each),
    });
    const link = linkIn(await textTo(one.email));
    await expect.poll(() => one.waits.length).toBeGreaterThan(0);
    proxy.cut();
    expect((await submit(link, one.waits[0]?.number ?? "")).status).toBe(200);
    proxy.leadTo(elsewhere());
    const session = await entering;
    expect(session.edge).toBe("edge-2");
    await expect.poll(async () => (await one.live()).map(({ sid }) => sid)).toEqual([session.sid]);
  });

  test("does not disturb who is typing a code", async () => {
    const one = await waiting({ gate: "sms" });
    let asked = 0;
    const typed = Promise.withResolvers<string>();
    const entering = keeper.connect(one.url, {
      appKey: one.socket.appKey,
      answers: {
        sms() {
          asked += 1;
          return typed.promise;
        },
      },
      onWait: (each) => void one.waits.push(each),
    });
    const code = codeIn(await textTo(one.phone));
    await expect.poll(() => one.waits.at(-1)?.status).toBe("sent");
    const before = one.waits.length;
    proxy.cut();
    proxy.leadTo(elsewhere());
    await expect.poll(() => one.waits.length).toBe(before + 1);
    proxy.cut();
    // Typed while nobody is there.
    typed.resolve(code);
    proxy.leadTo(here());
    expect((await entering).gates).toEqual(["key", "sms"]);
    expect(asked).toBe(1);
  });

  test("comes back without end only as long as somebody waits for it, and not at all where it may not", async () => {
    const one = await waiting({ gate: "email", by: "link" });
    const entering = connect(one.url, {
      appKey: one.socket.appKey,
      comeBack: false,
      onWait: (each) => void one.waits.push(each),
    });
    entering.catch(() => undefined);
    await expect.poll(() => one.waits.length).toBeGreaterThan(0);
    proxy.cut();
    await expect(entering).rejects.toMatchObject({ code: "closed", retryable: true });
  });

  test("who gives up does not wait any more: the link is good for nothing", async () => {
    const one = await waiting({ gate: "email", by: "link" });
    const leaving = new AbortController();
    const entering = connect(one.url, {
      appKey: one.socket.appKey,
      signal: leaving.signal,
      onWait: (each) => void one.waits.push(each),
    });
    entering.catch(() => undefined);
    const link = linkIn(await textTo(one.email));
    leaving.abort();
    await expect(entering).rejects.toMatchObject({ code: "cancelled" });
    await submit(link, one.waits[0]?.number ?? "");
    expect(await one.live()).toEqual([]);
  });
});

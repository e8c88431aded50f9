import { connect, type Waiting } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { confirmAddress, type Person, person } from "./support/account.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

/** Many programs may run beside this one. */
const soon = { timeout: 10_000 };
vi.setConfig({ testTimeout: 40_000 });
const keeper = sessionKeeper();
let world: World;
/** The owner of every socket here, and others, each signed in. */
let owner: Signed;
let cat: Signed;
let dan: Signed;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { TRUSTED_PROXIES: "127.0.0.1,::1" } });
  [owner, cat, dan] = [await signed(world.credentials), await signed(), await signed()];
}, 60_000);
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

type Signed = Person & { readonly cookie: string };

async function signed(known?: { readonly email: string; readonly password: string }): Promise<Signed> {
  const who = person(world, known ?? {});
  if (known === undefined) expect((await who.signUp()).status).toBe(202);
  const cookie = await who.signedIn();
  await confirmAddress(who, cookie);
  return { ...who, cookie };
}

/** @returns the id of their right. */
async function join(socket: OwnedSocket, who: Signed, role = "approver"): Promise<string> {
  const people = `/v1/sockets/${socket.id}/people`;
  const { status, body } = await owner.post(people, { email: who.email, role }, owner.cookie);
  expect(status).toBe(201);
  // Of this socket: another mail may be older.
  await expect.poll(() => who.mails(/You are invited/), soon).toBeGreaterThan(0);
  let accepted = 0;
  await expect
    .poll(async () => {
      const token = await who.mailed(new RegExp(`invited to ${labelOf(socket)}$`));
      accepted = (await who.post("/v1/invitations/accept", { token }, who.cookie)).status;
      return accepted;
    }, soon)
    .toBe(200);
  expect(body.state).toBe("invited");
  const listed = (await owner.get(people, owner.cookie)).body.people as { id: string; email: string }[];
  return listed.find(({ email }) => email === who.email)?.id ?? "none";
}
const labelOf = ({ url }: OwnedSocket) => new URL(url).pathname.split("/")[1] ?? "";

const approvalsOf = async ({ id }: OwnedSocket, who: Signed = owner) =>
  (await who.get(`/v1/sockets/${id}/approvals`, who.cookie)).body.approvals as {
    id: string;
    member: string | null;
    memberProven: boolean;
    gates: string[];
    given: number;
    mine: boolean;
  }[];
const decide = (socket: OwnedSocket, id: string, body: object, who: Signed = owner) =>
  who.post(`/v1/sockets/${socket.id}/approvals/${id}`, body, who.cookie);
const approve = (socket: OwnedSocket, id: string, number: string, who: Signed = owner) =>
  decide(socket, id, { decision: "approve", number }, who);
const wrong = (number: string) => (number === "111" ? "222" : "111");

/** Somebody at the gate, behind the key. */
async function atTheGate(socket: OwnedSocket, options: { url?: string; quorum?: number } = {}) {
  const seen: Waiting[] = [];
  const entering = keeper.connect(`${options.url ?? socket.url}?id=bob`, {
    appKey: socket.appKey,
    onWait: (waiting) => void seen.push(waiting),
  });
  entering.catch(() => undefined);
  await expect.poll(() => seen.length, soon).toBeGreaterThan(0);
  await expect.poll(async () => (await approvalsOf(socket)).length, soon).toBe(1);
  const [asked] = await approvalsOf(socket);
  return { entering, seen, number: seen[0]?.number ?? "none", id: asked?.id ?? "none" };
}
async function socketWith(gate: object = {}, before: object[] = []) {
  const gates = [{ gate: "key" }, ...before, { gate: "approval", notify: "none", ...gate }];
  const socket = await makeSocket(world.owner, { gates });
  if (before.length === 0) await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
  return socket;
}

describe("somebody who waits to be let in", () => {
  test("is let in at once by who types the number that only the waiting client shows", async () => {
    const socket = await socketWith();
    const one = await atTheGate(socket);
    expect(one.seen[0]).toMatchObject({
      by: "approval",
      to: "",
      status: "sent",
      resendAtMs: null,
      details: { given: 0, needed: 1 },
    });
    expect(one.number).toMatch(/^[1-9]\d\d$/);
    const [listed] = await approvalsOf(socket);
    expect(listed).toMatchObject({ member: "bob", memberProven: false, gates: ["key"], given: 0, mine: false });
    expect(JSON.stringify({ ...listed, id: "", since: "", until: "" })).not.toContain(one.number);
    expect(await approve(socket, one.id, wrong(one.number))).toMatchObject({ status: 400, code: "invalid" });
    expect(await approve(socket, one.id, one.number)).toMatchObject({
      status: 200,
      body: { state: "approved", given: 1, needed: 1 },
    });
    const session = await one.entering;
    expect(session.gates).toEqual(["key", "approval"]);
    expect(session.assurance).toMatchObject({ memberBound: false, gates: [] });
    // The same once more is no second verdict.
    expect(await approve(socket, one.id, one.number)).toMatchObject({ status: 200, body: { state: "approved" } });
    expect(await approvalsOf(socket)).toEqual([]);
    expect((await world.owner.get<{ sessions: object[] }>(`/v1/sockets/${socket.id}/sessions`)).sessions).toHaveLength(
      1,
    );
  });

  test("behind an authenticator is shown as proven, and has passed it", async () => {
    const socket = await socketWith({}, [{ gate: "otp" }]);
    const phone = await makeMember(world.owner, socket, "bob");
    const seen: Waiting[] = [];
    const entering = keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      answers: { otp: () => phone.code(world.now()) },
      onWait: (waiting) => void seen.push(waiting),
    });
    await expect.poll(async () => (await approvalsOf(socket)).length, soon).toBe(1);
    const [asked] = await approvalsOf(socket);
    expect(asked).toMatchObject({ memberProven: true, gates: ["key", "otp"] });
    await expect.poll(() => seen.length, soon).toBeGreaterThan(0);
    await approve(socket, asked?.id ?? "", seen[0]?.number ?? "");
    expect((await entering).assurance.gates).toEqual(["otp"]);
  });

  test("is told how many have approved, and is in with the second of two; the same approver counts once", async () => {
    const socket = await socketWith({ quorum: 2 });
    await join(socket, cat);
    const one = await atTheGate(socket);
    for (let n = 0; n < 2; n += 1)
      expect((await approve(socket, one.id, one.number)).body).toEqual({ state: "waiting", given: 1, needed: 2 });
    await expect.poll(() => one.seen.at(-1)?.details.given, soon).toBe(1);
    expect(one.seen.at(-1)).toMatchObject({ number: one.number, details: { needed: 2 } });
    expect((await approvalsOf(socket))[0]).toMatchObject({ given: 1, mine: true });
    expect((await approvalsOf(socket, cat))[0]).toMatchObject({ given: 1, mine: false });
    expect((await approve(socket, one.id, one.number, cat)).body.state).toBe("approved");
    await one.entering;
  });

  test("is refused by one, whatever others said, and whatever other way there is", async () => {
    const gate = { gate: "approval", quorum: 2, notify: "none" };
    const socket = await makeSocket(world.owner, {
      gates: [{ gate: "key" }, { anyOf: [gate, { gate: "otp", of: "socket" }] }],
    });
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
    await join(socket, cat);
    const one = await atTheGate(socket);
    await approve(socket, one.id, one.number);
    expect((await decide(socket, one.id, { decision: "refuse" }, cat)).body.state).toBe("refused");
    await expect(one.entering).rejects.toMatchObject(denial);
    expect(await approve(socket, one.id, one.number)).toMatchObject({ status: 404 });
  });

  test("has lost an attempt after three wrong numbers, and may be asked for anew with another one", async () => {
    const socket = await socketWith();
    const one = await atTheGate(socket);
    for (let n = 0; n < 3; n += 1) expect((await approve(socket, one.id, wrong(one.number))).status).toBe(400);
    expect((await approve(socket, one.id, one.number)).status).toBe(404);
    await expect.poll(async () => (await approvalsOf(socket))[0]?.id ?? one.id, soon).not.toBe(one.id);
    const [asked] = await approvalsOf(socket);
    await expect.poll(() => one.seen.at(-1)?.attemptsLeft, soon).toBe(2);
    const again = one.seen.at(-1);
    await approve(socket, asked?.id ?? "", again?.number ?? "");
    await one.entering;
  });

  test("goes on at another edge under the same number when the connection breaks, and is let in there once", async () => {
    const socket = await socketWith();
    const proxy = await startTcpProxy(world.edges[0] ?? "");
    try {
      const one = await atTheGate(socket, { url: proxy.through(socket.url) });
      const before = one.seen.length;
      proxy.cut();
      proxy.leadTo(world.edges[1] ?? "");
      await expect.poll(() => one.seen.length, soon).toBeGreaterThan(before);
      expect(one.seen.at(-1)?.number).toBe(one.number);
      expect((await approvalsOf(socket)).map(({ id }) => id)).toEqual([one.id]);
      await approve(socket, one.id, one.number);
      const session = await one.entering;
      expect(session.edge).toBe("edge-2");
      const { sessions } = await world.owner.get<{ sessions: object[] }>(`/v1/sockets/${socket.id}/sessions`);
      expect(sessions).toHaveLength(1);
    } finally {
      await proxy.close();
    }
  });

  test("and leaves is not there to be let in: nothing is decided", async () => {
    const socket = await socketWith();
    const leaving = new AbortController();
    const seen: Waiting[] = [];
    const entering = connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      signal: leaving.signal,
      onWait: (waiting) => void seen.push(waiting),
    });
    entering.catch(() => undefined);
    await expect.poll(async () => (await approvalsOf(socket)).length, soon).toBe(1);
    const [asked] = await approvalsOf(socket);
    await expect.poll(() => seen.length, soon).toBeGreaterThan(0);
    leaving.abort();
    await expect.poll(() => approvalsOf(socket), soon).toEqual([]);
    expect((await approve(socket, asked?.id ?? "", seen[0]?.number ?? "")).status).toBe(404);
  });

  test("has no longer than the policy gives them: nobody is let in by an approval that comes late", async () => {
    const socket = await makeSocket(world.owner, {
      gates: [{ gate: "key" }, { gate: "approval", notify: "none" }],
      deadlines: { wait: "30s" },
      onFailure: { attempts: 1 },
    });
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
    const one = await atTheGate(socket);
    world.advance(31_000);
    expect((await approve(socket, one.id, one.number)).status).toBe(404);
    expect(await approvalsOf(socket)).toEqual([]);
    const { sessions } = await world.owner.get<{ sessions: object[] }>(`/v1/sockets/${socket.id}/sessions`);
    expect(sessions).toEqual([]);
    await keeper.closeAll();
    await world.fresh();
  });

  test("gets one verdict of many who let them in at once, over two replicas of everything", async () => {
    const socket = await socketWith();
    await join(socket, cat);
    await join(socket, dan);
    const one = await atTheGate(socket);
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, index) => approve(socket, one.id, one.number, [owner, cat, dan][index % 3])),
    );
    const approved = new Set(all.flatMap(({ status }, index) => (status === 200 ? [index % 3] : [])));
    expect(approved.size).toBe(1);
    await one.entering;
    const { sessions } = await world.owner.get<{ sessions: object[] }>(`/v1/sockets/${socket.id}/sessions`);
    expect(sessions).toHaveLength(1);
  });
});

describe("who may let somebody in", () => {
  test("are approvers, not viewers nor strangers, and no program with a token", async () => {
    const socket = await socketWith();
    await join(socket, cat, "viewer");
    const one = await atTheGate(socket);
    for (const who of [cat, dan]) {
      expect((await approve(socket, one.id, one.number, who)).status).toBe(404);
      expect((await who.get(`/v1/sockets/${socket.id}/approvals`, who.cookie)).status).toBe(404);
    }
    const { secret } = (await owner.post("/v1/account/tokens", { label: "t", password: owner.password }, owner.cookie))
      .body;
    const authorization = `Bearer ${String(secret)}`;
    const asProgram = (path: string, body?: object) =>
      fetch(`${world.url}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { authorization, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const path = `/v1/sockets/${socket.id}/approvals`;
    expect((await asProgram(path)).status).toBe(200);
    expect((await asProgram(`${path}/${one.id}`, { decision: "approve", number: one.number })).status).toBe(403);
    expect((await asProgram(`${path}/${one.id}`, { decision: "refuse" })).status).toBe(403);
    await approve(socket, one.id, one.number);
    await one.entering;
  });

  test("counts no more once they are removed: the quorum takes somebody else, and the waiting client is told", async () => {
    const socket = await socketWith({ quorum: 2 });
    const right = await join(socket, cat);
    await join(socket, dan);
    const one = await atTheGate(socket);
    await approve(socket, one.id, one.number, cat);
    await expect.poll(() => one.seen.at(-1)?.details.given, soon).toBe(1);
    expect((await owner.delete(`/v1/sockets/${socket.id}/people/${right}`, undefined, owner.cookie)).status).toBe(204);
    await expect.poll(() => one.seen.at(-1)?.details.given, soon).toBe(0);
    expect((await approve(socket, one.id, one.number, dan)).body).toMatchObject({ state: "waiting", given: 1 });
    expect((await approve(socket, one.id, one.number, cat)).status).toBe(404);
    expect((await approve(socket, one.id, one.number)).body.state).toBe("approved");
    await one.entering;
  });

  test("is not who waits, where their account has the member's address", async () => {
    const gates = [{ gate: "key" }, { gate: "approval", notify: "none" }];
    const socket = await makeSocket(world.owner, { gates });
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", contacts: { email: cat.email } });
    await join(socket, cat);
    const one = await atTheGate(socket);
    expect(await approve(socket, one.id, one.number, cat)).toMatchObject({ status: 403, code: "forbidden" });
    await approve(socket, one.id, one.number);
    await one.entering;
  });

  test("leaves no number, address or token in the log", async () => {
    const socket = await socketWith();
    const one = await atTheGate(socket);
    await approve(socket, one.id, one.number);
    await one.entering;
    const lines = world.logs.map((line) => ({ ...JSON.parse(line), time: 0 }));
    const text = JSON.stringify(lines);
    for (const secret of [cat.email, dan.email, "pci_", owner.email]) expect(text).not.toContain(secret);
    expect(lines.some((line) => Object.values(line).includes(one.number))).toBe(false);
  });
});

import { connect, type Question, type Waiting } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isBy, json, type Receiver, signed, startReceiver } from "../../libs/runtime/test/support/webhook-receiver.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

const full = process.env.PORTCULLIS_FULL === "1";
const keeper = sessionKeeper();
let world: World;
let owner: Receiver;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { OUTBOUND_ALLOW: "http://127.0.0.1", LOG_LEVEL: "debug" } });
});
beforeEach(async () => {
  owner = await startReceiver();
});
afterEach(async () => {
  await keeper.closeAll();
  await owner.close();
});
afterAll(() => world.close());

interface Hook {
  readonly id: string;
  readonly secret: string;
}

/** A socket whose policy speaks to a webhook, which takes a socket to be made on first. */
async function socketWith(
  gateOf: (webhook: string) => object,
  more: object = {},
): Promise<OwnedSocket & { hook: Hook }> {
  const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }] });
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
  const { webhook, secret } = await world.owner.post<{ webhook: { id: string }; secret: string }>(
    `/v1/sockets/${socket.id}/webhooks`,
    { url: owner.url, purpose: "test" },
  );
  await setPolicy(socket.id, { gates: [{ gate: "key" }, gateOf(webhook.id)], ...more });
  return { ...socket, hook: { id: webhook.id, secret } };
}

async function setPolicy(socketId: string, policy: object): Promise<void> {
  const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socketId}`);
  await world.owner.patch(`/v1/sockets/${socketId}`, { version, policy });
}

const external = (webhook: string) => ({ gate: "external", webhook });
const custom = (webhook: string) => ({ gate: "question", kind: "custom", webhook });

/** What a service is told, and where it answers. */
async function opened(index = 0): Promise<{ waitId: string; callback: string }> {
  await expect.poll(() => owner.deliveries.length, { timeout: 10_000 }).toBeGreaterThan(index);
  const delivery = owner.deliveries[index];
  const { waitId, callback } = delivery?.data ?? {};
  return { waitId: String(waitId), callback: String(callback) };
}
const decide = (callback: string, secret: string, body: string, id = "msg_1") =>
  fetch(callback, { method: "POST", headers: signed(secret, body, { id }), body });
const confirm = '{"decision":"confirm"}';

describe("the gate external", () => {
  test("lets in when the service says so, which can tell that it is us, and we that it is the service", async () => {
    const { id, url, appKey, hook } = await socketWith(external);
    const waits: Waiting[] = [];
    const entering = keeper.connect(`${url}?id=bob`, { appKey, onWait: (each) => void waits.push(each) });
    const { callback, waitId } = await opened();
    const [delivery] = owner.deliveries;
    expect(delivery?.type).toBe("portcullis.wait.opened");
    expect(delivery !== undefined && isBy(hook.secret, delivery)).toBe(true);
    expect(delivery?.data).toMatchObject({ socket: id, member: "bob" });
    expect(callback).toBe(`${world.url}/v1/callbacks/${waitId}`);
    await expect.poll(() => waits.at(-1)?.status).toBe("sent");
    expect(waits[0]).toMatchObject({ gate: "external", by: "callback", to: "", number: null });
    expect((await decide(callback, hook.secret, confirm)).status).toBe(204);
    const session = await entering;
    expect(session.gates).toEqual(["key", "external"]);
    expect(session.assurance).toEqual({ key: true, memberBound: false, gates: [] });
    expect((await decide(callback, hook.secret, confirm)).status).toBe(204);
    expect(owner.deliveries).toHaveLength(1);
  });

  test("keeps out whom the service refuses, at once and whatever other way there is", async () => {
    const { url, appKey, hook } = await socketWith((webhook) => ({
      anyOf: [external(webhook), { gate: "otp", of: "socket" }],
    }));
    const entering = connect(`${url}?id=bob`, {
      appKey,
      onWait: () => undefined,
      onChallenge: () => ({ gate: "external" }),
    });
    const refused = expect(entering).rejects.toMatchObject(denial);
    const { callback } = await opened();
    expect((await decide(callback, hook.secret, '{"decision":"refuse"}')).status).toBe(204);
    await refused;
    expect((await decide(callback, hook.secret, confirm, "msg_2")).status).toBe(409);
  });

  test("believes nobody else: another socket's secret, no signature, a forged or an old one look the same", async () => {
    const one = await socketWith(external);
    const foreign = await socketWith(external);
    const stop = new AbortController();
    const entering = connect(`${one.url}?id=bob`, { appKey: one.appKey, signal: stop.signal });
    const ended = expect(entering).rejects.toThrow();
    const { callback } = await opened();
    const old = signed(one.hook.secret, confirm, { timestamp: Math.floor(Date.now() / 1_000) - 400 });
    const { "webhook-signature": _, ...unsigned } = signed(one.hook.secret, confirm);
    const attempts: [string, Record<string, string>, string][] = [
      [callback, signed(foreign.hook.secret, confirm), confirm],
      [callback, old, confirm],
      [callback, unsigned, confirm],
      [callback, { "content-type": "application/json" }, confirm],
      [callback, signed(one.hook.secret, '{"decision":"refuse"}'), confirm],
      [callback.replace(/[^/]+$/, "wait_unknown"), signed(one.hook.secret, confirm), confirm],
    ];
    const said = new Set<string>();
    for (const [to, headers, body] of attempts) {
      const answer = await fetch(to, { method: "POST", headers, body });
      said.add(`${answer.status} ${await answer.text()}`);
    }
    expect([...said]).toEqual([expect.stringMatching(/^403 .*"code":"forbidden"/)]);
    stop.abort();
    await ended;
  });

  test("goes on at another edge at the same gate, and the service is told once", async () => {
    const { url, appKey, hook } = await socketWith(external);
    const proxy = await startTcpProxy(world.edges[0] ?? "");
    const waits: Waiting[] = [];
    const entering = keeper.connect(proxy.through(`${url}?id=bob`), {
      appKey,
      onWait: (each) => void waits.push(each),
    });
    const { callback } = await opened();
    await expect.poll(() => waits.at(-1)?.status).toBe("sent");
    const before = waits.length;
    proxy.cut();
    proxy.leadTo(world.edges[1] ?? "");
    await expect.poll(() => waits.length).toBe(before + 1);
    expect((await decide(callback, hook.secret, confirm)).status).toBe(204);
    const session = await entering;
    expect(session.edge).toBe("edge-2");
    expect(owner.deliveries).toHaveLength(1);
    await proxy.close();
  });

  test.runIf(full)(
    "is over with its time: nobody is let in by a decision that comes late",
    async () => {
      const { url, appKey, hook } = await socketWith(external, {
        deadlines: { wait: "30s", handshake: "30s" },
        onFailure: { attempts: 1 },
      });
      const entering = connect(`${url}?id=bob`, { appKey });
      const refused = expect(entering).rejects.toThrow();
      const { callback } = await opened();
      world.advance(31_000);
      // Who comes next is not to find a bundle that is too old.
      await world.fresh();
      const late = await fetch(callback, {
        method: "POST",
        headers: signed(hook.secret, confirm, { timestamp: Math.floor(world.now() / 1_000) }),
        body: confirm,
      });
      expect(late.status).toBe(409);
      await refused;
      // By now the bundle of before may be too old as well.
      await world.fresh();
    },
    60_000,
  );
});

describe("a question of the owner's own", () => {
  function asks(answer: string): void {
    owner.handle = ({ type, data }, response) =>
      json(
        response,
        type === "portcullis.question.ask"
          ? { prompt: "Which street did you grow up in?", choices: ["Elm", "Oak"] }
          : { ok: data.answer === answer },
      );
  }

  test("is shown with its choices, and lets in who answers it rightly", async () => {
    const { id, url, appKey, hook } = await socketWith(custom);
    asks("Oak");
    const shown: Question[] = [];
    const session = await keeper.connect(`${url}?id=bob`, {
      appKey,
      answerSecret: "not for this kind",
      onChallenge: (question) => {
        shown.push(question);
        return { value: shown.length === 1 ? "Elm" : "Oak" };
      },
    });
    expect(session.gates).toEqual(["key", "question"]);
    expect(session.assurance.memberBound).toBe(false);
    expect(shown.map(({ ask, details }) => [ask?.shown?.(details), ask?.choices?.(details)])).toEqual([
      ["Which street did you grow up in?", ["Elm", "Oak"]],
      ["Which street did you grow up in?", ["Elm", "Oak"]],
    ]);
    expect(owner.deliveries.every((delivery) => isBy(hook.secret, delivery))).toBe(true);
    const questions = owner.deliveries.map(({ type, data }) => [type.split(".").at(-1), data.questionId]);
    const [first, second] = [questions[0]?.[1], questions[2]?.[1]];
    expect(questions).toEqual([
      ["ask", first],
      ["judge", first],
      ["ask", second],
      ["judge", second],
    ]);
    expect(first).not.toBe(second);
    expect(owner.deliveries[1]?.data).toEqual({ questionId: first, socket: id, member: "bob", answer: "Elm" });
  });

  test("that cannot be asked is left out; where it is the only way, nobody comes in and nothing is counted", async () => {
    owner.handle = (_delivery, response) => void response.writeHead(500).end();
    const options: string[][] = [];
    const both = await socketWith((webhook) => ({ anyOf: [custom(webhook), external(webhook)] }));
    const stop = new AbortController();
    const leaving = connect(`${both.url}?id=bob`, {
      appKey: both.appKey,
      signal: stop.signal,
      onWait: (waiting) => {
        options.push(waiting.options.map(({ gate }) => gate));
        stop.abort();
      },
    });
    await expect(leaving).rejects.toThrow();
    expect(options).toEqual([["external"]]);

    const only = await socketWith(custom);
    const entering = connect(`${only.url}?id=bob`, {
      appKey: only.appKey,
      onChallenge: () => ({ value: "Oak" }),
      timeoutMs: 4_000,
    });
    await expect(entering).rejects.toMatchObject({ retryable: true });
  });

  test("that cannot be judged lets nobody in, and to come back for another guess is not free", async () => {
    const { url, appKey } = await socketWith(custom, { onFailure: { attempts: 2 } });
    let judged = 0;
    asks("Oak");
    const knows = owner.handle;
    owner.handle = (delivery, response) => {
      if (delivery.type.endsWith("judge")) judged += 1;
      if (judged === 1 && delivery.type.endsWith("judge")) return void response.writeHead(503).end();
      return knows(delivery, response);
    };
    const left: number[] = [];
    const entering = keeper.connect(`${url}?id=bob`, {
      appKey,
      onChallenge: ({ attemptsLeft }) => {
        left.push(attemptsLeft);
        return { value: "Oak" };
      },
    });
    expect((await entering).gates).toEqual(["key", "question"]);
    expect(left).toEqual([2, 1]);
  });
});

describe("webhooks and the policy", () => {
  test("a policy names webhooks of its own socket only, and one that it names stays", async () => {
    const one = await socketWith(external);
    const foreign = await socketWith(external);
    const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${one.id}`);
    const policy = { gates: [{ gate: "key" }, external(foreign.hook.id)] };
    await expect(world.owner.patch(`/v1/sockets/${one.id}`, { version, policy })).rejects.toThrow(
      /400 .*"policy\.gates\.1\.webhook","message":"no such webhook"/,
    );
    const remove = () => world.owner.delete(`/v1/sockets/${one.id}/webhooks/${one.hook.id}`);
    await expect(remove()).rejects.toMatchObject({ status: 409 });
    await setPolicy(one.id, { gates: [{ gate: "key" }] });
    await remove();
    await expect(remove()).rejects.toMatchObject({ status: 404 });
  });

  test("no secret, address or answer is in any log", async () => {
    const { url, appKey, hook } = await socketWith(custom);
    owner.handle = (_delivery, response) => void response.writeHead(500).end();
    await connect(`${url}?id=bob`, { appKey, onChallenge: () => null, timeoutMs: 4_000 }).catch(() => undefined);
    const lines = JSON.stringify(world.logs);
    expect(lines).toContain("an owner's program did not answer");
    for (const planted of [hook.secret, "s3cret-path", "Oak"]) expect(lines).not.toContain(planted);
  });
});

import { connect, type Question } from "@portcullis/client";
import { answerByRule, readAnswerRule } from "@portcullis/policy";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type IdentityProvider, startIdentityProvider } from "./support/identity-provider.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { makeSocket } from "./support/socket.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

const keeper = sessionKeeper();
let world: World;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { OUTBOUND_ALLOW: "http://127.0.0.1" } });
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

describe("a captcha", () => {
  const policy = { gates: [{ gate: "key" }, { gate: "captcha", cost: "low" }], anonymous: true };

  test("lets in a client that works for it, asks nobody, and says nothing about who it is", async () => {
    const socket = await makeSocket(world.owner, policy);
    const session = await keeper.connect(socket.url, { appKey: socket.appKey });
    expect(session.gates).toEqual(["key", "captcha"]);
    expect(session.assurance).toEqual({ key: true, memberBound: false, gates: [] });
  });

  test("is done for the same question, where the connection breaks while the client works, over another edge", async () => {
    const socket = await makeSocket(world.owner, policy);
    const proxy = await startTcpProxy(world.edges[0] ?? "");
    try {
      let challenges = 0;
      const session = await keeper.connect(proxy.through(socket.url), {
        appKey: socket.appKey,
        onFrame(_direction, kind) {
          if (kind !== "challenge") return;
          challenges += 1;
          if (challenges > 1) return;
          proxy.cut();
          proxy.leadTo(world.edges[1] ?? "");
        },
      });
      expect(session.edge).toBe("edge-2");
      expect(challenges).toBe(2);
    } finally {
      await proxy.close();
    }
  });

  test("ends the handshake of who sends something else", async () => {
    const socket = await makeSocket(world.owner, policy);
    const entering = connect(socket.url, { appKey: socket.appKey, answers: { captcha: () => "e30" } });
    await expect(entering).rejects.toMatchObject(denial);
  });
});

describe("a question by a secret rule", () => {
  const written = "3 -1 2+4 =tea";
  const read = readAnswerRule(written);
  if (read === null) throw new Error("no rule");
  const answerOf = ({ details }: Question) => answerByRule(read, String(details.statement));

  async function bobsSocket() {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, { gate: "question", kind: "rule" }] });
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
    const rule = `/v1/sockets/${socket.id}/members/bob/answer-rule`;
    expect(await world.owner.put(rule, { rule: written })).toEqual({ rule: written });
    return { ...socket, url: `${socket.url}?id=bob`, rule };
  }

  test("lets in who picks the words by it, from another statement after each try; and out when it is removed", async () => {
    const socket = await bobsSocket();
    const asked: Question[] = [];
    const session = await keeper.connect(socket.url, {
      appKey: socket.appKey,
      answers: {
        question(question) {
          asked.push(question);
          return question.retry ? answerOf(question) : "amber anchor apple";
        },
      },
    });
    expect(session.assurance).toEqual({ key: true, memberBound: true, gates: ["question"] });
    const [first, second] = asked.map(({ details }) => details);
    expect(Object.keys(first ?? {})).toEqual(["kind", "statement"]);
    expect(first?.statement).not.toBe(second?.statement);
    await world.owner.delete(socket.rule);
    expect(await session.closed).toMatchObject({ reason: "revoked", what: "kicked" });
    const again = connect(socket.url, { appKey: socket.appKey, answers: { question: answerOf } });
    await expect(again).rejects.toMatchObject({ code: "denied" });
  });

  test("is asked once, where the connection breaks while somebody thinks, and answered over another edge", async () => {
    const socket = await bobsSocket();
    const proxy = await startTcpProxy(world.edges[0] ?? "");
    const asked: Question[] = [];
    const typed = Promise.withResolvers<string>();
    try {
      const entering = keeper.connect(proxy.through(socket.url), {
        appKey: socket.appKey,
        answers: {
          question(question) {
            asked.push(question);
            return typed.promise;
          },
        },
      });
      await expect.poll(() => asked.length).toBe(1);
      proxy.cut();
      proxy.leadTo(world.edges[1] ?? "");
      typed.resolve(answerOf(asked[0] as Question));
      expect((await entering).edge).toBe("edge-2");
      expect(asked).toHaveLength(1);
    } finally {
      await proxy.close();
    }
  });
});

describe("a token of an identity provider", () => {
  let provider: IdentityProvider;
  beforeAll(async () => {
    provider = await startIdentityProvider();
  });
  afterAll(() => provider.close());

  test("lets in the member whom it names, offered unasked, once; and nobody else", async () => {
    const { issuer } = provider;
    const tokenOf = (sub: string) => provider.tokenOf(sub, world.now());
    const socket = await makeSocket(world.owner, {
      gates: [{ gate: "key" }, { gate: "jwt", issuer, audience: "chat" }],
    });
    for (const name of ["bob", "eve"]) await world.owner.post(`/v1/sockets/${socket.id}/members`, { name });
    const token = tokenOf("bob");
    const offer = [{ gate: "jwt", value: token }];
    const session = await keeper.connect(`${socket.url}?id=bob`, { appKey: socket.appKey, offer });
    expect(session.assurance).toEqual({ key: true, memberBound: true, gates: ["jwt"] });
    const asked: Question[] = [];
    const answers = {
      jwt(question: Question) {
        asked.push(question);
        return token;
      },
    };
    const again = connect(`${socket.url}?id=bob`, { appKey: socket.appKey, answers });
    await expect(again).rejects.toMatchObject(denial);
    expect(asked[0]?.details).toEqual({ issuer, audience: "chat" });
    const eve = connect(`${socket.url}?id=eve`, { appKey: socket.appKey, answers: { jwt: () => tokenOf("bob") } });
    await expect(eve).rejects.toMatchObject(denial);
  });
});

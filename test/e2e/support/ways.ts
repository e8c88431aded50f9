import { randomInt } from "node:crypto";
import type { AnswerCallback, ConnectOptions, Question } from "@portcullis/client";
import { answerByRule, gateNames, readAnswerRule } from "@portcullis/policy";
import { question } from "../../../libs/policy/src/gates/question.ts";
import { json, type Receiver } from "../../../libs/runtime/test/support/webhook-receiver.ts";
import { createSoftPasskey } from "../../passkeys/soft-passkey.ts";
import type { IdentityProvider } from "./identity-provider.ts";
import { makeMember, type OwnedSocket } from "./socket.ts";
import type { World } from "./world.ts";

export const outboxKey = "outbox-key-of-this-test-0123";

export interface Surroundings {
  readonly world: World;
  readonly socket: OwnedSocket;
  readonly provider: IdentityProvider;
  /** The owner's own program. */
  readonly program: Receiver;
}

/** A gate as the policy has it, and how bob, for whom everything that it takes is enrolled by then, answers it rightly. */
export interface Way {
  readonly item: object;
  /** Somebody is sent something first. */
  readonly waits?: true;
  /** @param ready called when the right answer is there, right before it is given */
  options(ready: () => void): ConnectOptions;
}

const member = ({ socket }: Surroundings) => `/v1/sockets/${socket.id}/members/bob`;
const addBob = ({ world, socket }: Surroundings, contacts?: object) =>
  world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", ...(contacts && { contacts }) });

function answering(gate: string, answer: AnswerCallback): Way["options"] {
  return (ready) => ({
    answers: {
      async [gate](question) {
        const value = await answer(question);
        ready();
        return value;
      },
    },
  });
}

async function byMessage(at: Surroundings, gate: "email" | "sms" | "call"): Promise<Way> {
  // Another contact each time: limits are of contacts.
  const to = gate === "email" ? `bob-${randomInt(10 ** 9)}@example.com` : `+49${randomInt(10 ** 9, 10 ** 10)}`;
  await addBob(at, { [gate === "email" ? "email" : "phone"]: to });
  const code = async () => {
    for (;;) {
      const headers = { authorization: `Bearer ${outboxKey}` };
      const answer = await fetch(`${at.world.url}/v1/outbox?limit=100`, { headers });
      const { messages } = (await answer.json()) as { messages: { to: string; text: string }[] };
      const text = messages.find((message) => message.to === to)?.text ?? "";
      // Written, or said digit by digit.
      const found = /\b(?:\d{6}|(?:\d, ){5}\d)\b/.exec(text);
      if (found !== null) return found[0].replaceAll(", ", "");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { item: { gate }, waits: true, options: answering(gate, code) };
}

/** What the opening decides: nobody is asked, and so nobody answers. */
export const byTheOpening: readonly string[] = ["key", "path", "ticket"];
/** Where somebody else decides. */
export const elsewhere: readonly string[] = ["approval", "external"];
/** Where the owner's own program judges each answer anew, so that nothing is used up. Everywhere else a right answer lets in once. */
export const judgedAnew: readonly string[] = ["question custom"];
/** Every gate at which one has to answer, and every kind of question. */
export const answered: readonly string[] = gateNames
  .filter((gate) => !byTheOpening.includes(gate) && !elsewhere.includes(gate))
  .flatMap((gate) =>
    gate === "question" ? question.stored.options.map(({ shape }) => `question ${shape.kind.value}`) : [gate],
  );

/** How each of them is passed. */
export const ways: Readonly<Record<string, (at: Surroundings) => Promise<Way>>> = {
  async otp({ world, socket }) {
    const phone = await makeMember(world.owner, socket, "bob");
    return { item: { gate: "otp" }, options: answering("otp", () => phone.code(world.now())) };
  },
  email: (at) => byMessage(at, "email"),
  sms: (at) => byMessage(at, "sms"),
  call: (at) => byMessage(at, "call"),
  async "question excerpt"(at) {
    await addBob(at);
    const { secret } = await at.world.owner.post<{ secret: string }>(`${member(at)}/answer-secret`);
    const options: Way["options"] = (ready) => ({
      answerSecret() {
        ready();
        return secret;
      },
    });
    return { item: { gate: "question" }, options };
  },
  async "question rule"(at) {
    const written = "3 -1 2+4 =tea";
    const rule = readAnswerRule(written);
    if (rule === null) throw new Error("no rule");
    await addBob(at);
    await at.world.owner.put(`${member(at)}/answer-rule`, { rule: written });
    const answer = ({ details }: Question) => answerByRule(rule, String(details.statement));
    return { item: { gate: "question", kind: "rule" }, options: answering("question", answer) };
  },
  async "question custom"(at) {
    await addBob(at);
    at.program.handle = ({ type, data }, response) =>
      json(response, type === "portcullis.question.ask" ? { prompt: "Which street?" } : { ok: data.answer === "Oak" });
    const { webhook } = await at.world.owner.post<{ webhook: { id: string } }>(`/v1/sockets/${at.socket.id}/webhooks`, {
      url: at.program.url,
      purpose: "test",
    });
    const item = { gate: "question", kind: "custom", webhook: webhook.id };
    return { item, options: answering("question", () => "Oak") };
  },
  async passkey(at) {
    const origin = "https://app.example.com";
    const item = { gate: "passkey", relyingParty: "app.example.com", origins: [origin] };
    await addBob(at);
    await setPolicy(at, [item]);
    const phone = createSoftPasskey();
    const { registrationId, options } = await at.world.owner.post<{
      registrationId: string;
      options: { challenge: string; rp: { id: string } };
    }>(`${member(at)}/passkeys/begin`, { relyingParty: item.relyingParty });
    const response = phone.register(options, origin);
    await at.world.owner.post(`${member(at)}/passkeys`, { registrationId, response, label: "phone", origin });
    return {
      item,
      options: (ready) => ({
        async passkey(request) {
          const signed = phone.get(request, origin);
          ready();
          return signed;
        },
      }),
    };
  },
  async captcha(at) {
    await addBob(at);
    const options: Way["options"] = (ready) => ({
      // The work is the client's own, and nobody is told when it is done: it has not begun here.
      onFrame(_direction, kind) {
        if (kind === "challenge") ready();
      },
    });
    return { item: { gate: "captcha", cost: "low" }, options };
  },
  async jwt(at) {
    const { issuer, tokenOf } = at.provider;
    await addBob(at);
    const item = { gate: "jwt", issuer, audience: "chat" };
    return { item, options: answering("jwt", () => tokenOf("bob", at.world.now())) };
  },
  async ident(at) {
    await addBob(at);
    const item = { gate: "ident", ask: "type" };
    return { item, options: answering("ident", ({ server }) => server.words) };
  },
};

/** Behind the key. */
export async function setPolicy({ world, socket }: Surroundings, gates: object[], more: object = {}): Promise<void> {
  const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
  const policy = { gates: [{ gate: "key" }, ...gates], ...more };
  await world.owner.patch(`/v1/sockets/${socket.id}`, { version, policy });
}

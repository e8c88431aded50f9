import {
  createSocket,
  createWebhook,
  forgetWebhook,
  getSocket,
  identityOpen,
  identityStep,
  listWebhooks,
  mintWebhook,
  type Outcome,
  readWebhooks,
  removeWebhook,
  renewWebhook,
  rotateWebhook,
  ServiceError,
  updateSocket,
  validatePolicyDocument,
  type WebhookView,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { opening } from "./support/handshake.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
/** Of that one socket, and how often they were asked for. */
let webhooks: WebhookView[];
let asked: number;
const path = "a-path-of-its-own";
const label = "one";

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  webhooks = [];
  asked = 0;
  world.factors.prompt = { kind: "custom", prompt: "?" };
  const server = world.factorsServer;
  await server.serve(readWebhooks, ({ socketId }) => {
    asked += 1;
    return { webhooks: socketId === mine.socketId ? webhooks : [] };
  });
  await server.serve(mintWebhook, ({ url, purpose }) => {
    const webhook = { id: `hook_${webhooks.length}`, url, purpose, createdAtMs: 1, previousUntilMs: null };
    webhooks.push(webhook);
    return { webhook, secret: "whsec_1" };
  });
  await server.serve(renewWebhook, ({ webhookId }) => {
    const webhook = webhooks.find(({ id }) => id === webhookId);
    if (webhook === undefined) throw new ServiceError("not_found");
    return { webhook, secret: "whsec_2" };
  });
  await server.serve(forgetWebhook, ({ webhookId }) => {
    const existed = webhooks.some(({ id }) => id === webhookId);
    webhooks = webhooks.filter(({ id }) => id !== webhookId);
    return { existed };
  });
  const { ownerId } = await world.owner();
  const policy = { gates: [{ gate: "path" }], anonymous: true };
  const { id } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
  mine = { ownerId, socketId: id };
});
afterEach(() => world.close());

const custom = (webhook: string) => ({ gate: "question", kind: "custom", webhook });
const external = (webhook: string) => ({ gate: "external", webhook });
const make = () => world.api.call(createWebhook, { ...mine, url: "https://hooks.example.com/", purpose: null });
async function setPolicy(gates: object[], more: object = {}) {
  const { version } = await world.api.call(getSocket, mine);
  const policy = { gates, anonymous: true, ...more };
  return world.api.call(updateSocket, { ...mine, version, path: null, idParameter: null, policy });
}

describe("webhooks of a socket", () => {
  it("are its owner's alone", async () => {
    const { webhook } = await make();
    const foreign = { ownerId: (await world.owner()).ownerId, socketId: mine.socketId };
    const one = { ...foreign, webhookId: webhook.id };
    for (const call of [
      world.api.call(createWebhook, { ...foreign, url: "https://hooks.example.com/", purpose: null }),
      world.api.call(listWebhooks, foreign),
      world.api.call(rotateWebhook, one),
      world.api.call(removeWebhook, one),
    ])
      await expect(call).rejects.toMatchObject({ code: "not_found" });
    expect((await world.api.call(listWebhooks, mine)).webhooks).toEqual([webhook]);
    expect((await world.api.call(rotateWebhook, { ...mine, webhookId: webhook.id })).secret).toBe("whsec_2");
  });

  it("are named by a policy only where they are there, and stay while they are", async () => {
    const { webhook } = await make();
    await expect(setPolicy([{ anyOf: [{ gate: "path" }] }, external("hook_9")])).rejects.toThrow();
    await expect(
      setPolicy([external("hook_9"), { anyOf: [external(webhook.id), custom("hook_8")] }]),
    ).rejects.toMatchObject({
      code: "invalid",
      issues: [
        { path: "policy.gates.0.webhook", message: "no such webhook" },
        { path: "policy.gates.1.anyOf.1.webhook", message: "no such webhook" },
      ],
    });
    await setPolicy([custom(webhook.id)]);
    const removing = () => world.api.call(removeWebhook, { ...mine, webhookId: webhook.id });
    await expect(removing()).rejects.toMatchObject({
      code: "conflict",
      issues: [{ path: "policy.gates.0.webhook" }],
    });
    await setPolicy([{ gate: "path" }]);
    await removing();
    await expect(removing()).rejects.toMatchObject({ code: "not_found" });
  });

  it("are guarded alike where a session asks again: nothing is named that is not there, and nothing goes that is named", async () => {
    const { webhook } = await make();
    const again = (id: string) => ({ during: [{ every: "1h", ...external(id) }] });
    await expect(setPolicy([{ gate: "path" }], again("hook_9"))).rejects.toMatchObject({
      issues: [{ path: "policy.during.0.gates.0.webhook", message: "no such webhook" }],
    });
    await setPolicy([{ gate: "path" }], again(webhook.id));
    await expect(world.api.call(removeWebhook, { ...mine, webhookId: webhook.id })).rejects.toMatchObject({
      code: "conflict",
      issues: [{ path: "policy.during.0.gates.0.webhook" }],
    });
  });

  it("cannot be named by a socket that is only being made", async () => {
    const { ownerId } = mine;
    const policy = { gates: [external("hook_0")] };
    await make();
    const making = world.api.call(createSocket, { ownerId, label: "two", path: null, idParameter: null, policy });
    await expect(making).rejects.toMatchObject({ code: "invalid", issues: [{ path: "policy.gates.0.webhook" }] });
  });
});

describe("a policy that is validated for a socket", () => {
  const validate = (policy: object, more: { readonly socketId?: string | null; readonly ownerId?: string } = {}) =>
    world.api.call(validatePolicyDocument, { ...mine, ...more, policy: { ...policy } });
  const speaking = (...webhooks: string[]) => ({ gates: webhooks.map(external) });

  it("is found wrong where setting it would be refused, at the same places in the same words", async () => {
    const { webhook } = await make();
    const gates = [external(webhook.id), { anyOf: [external(webhook.id), custom("hook_8")] }];
    const during = [{ on: "demand", ...external("hook_9") }];
    const refused = await setPolicy(gates, { during }).catch((error: ServiceError) => error);
    const { ok, issues, advice } = await validate({ gates, during });
    expect([ok, advice]).toEqual([false, []]);
    expect(issues).toEqual([
      { code: "no-such-webhook", path: "gates.1.anyOf.1.webhook", message: "no such webhook" },
      { code: "no-such-webhook", path: "during.0.gates.0.webhook", message: "no such webhook" },
    ]);
    expect(refused).toMatchObject({
      issues: issues.map(({ path, message }) => ({ path: `policy.${path}`, message })),
    });
    expect((await validate(speaking(webhook.id))).ok).toBe(true);
  });

  it("tells nothing of anybody else's webhooks: a foreign one is none, and a foreign socket is none", async () => {
    const { webhook } = await make();
    const eve = { ownerId: (await world.owner()).ownerId };
    await expect(validate(speaking(webhook.id), eve)).rejects.toMatchObject({ code: "not_found" });
    const policy = { gates: [{ gate: "path" }] };
    const hers = { ...eve, label: "hers", path: null, idParameter: null, policy };
    const { id: socketId } = await world.api.call(createSocket, hers);
    const found = await validate(speaking(webhook.id, "hook_9"), { ...eve, socketId });
    expect(found.issues.map(({ path, message }) => [path, message])).toEqual([
      ["gates.0.webhook", "no such webhook"],
      ["gates.1.webhook", "no such webhook"],
    ]);
  });

  it("is asked nothing of where no socket is named or no webhook, and never says more than can be read", async () => {
    expect((await validate(speaking("hook_9"), { socketId: null })).ok).toBe(true);
    asked = 0;
    expect((await validate({ gates: [{ gate: "key" }, { gate: "otp" }] })).ok).toBe(true);
    expect(asked).toBe(0);
    const gates = Array(8).fill(external("hook_9"));
    const during = [...Array(8).keys()].map((n) => ({ message: `class-${n}`, gates }));
    expect((await validate({ gates, during })).issues).toHaveLength(50);
  });
});

describe("a question that nobody can judge now", () => {
  const challenged = async (parked: string | null = null) => {
    const request = opening({ label, path, query: "", parked });
    return { hid: request.hid, outcome: await world.keysCaller.call(identityOpen, request) };
  };
  const answer = (hid: string, n: number, outcome: Outcome, value = "right") => {
    const cid = outcome.say === "challenge" ? outcome.cid : "none";
    const action = { do: "answer", cid, answer: { gate: "question", value, at: null } } as const;
    const step = { handshake: hid, hid, transcript: new Uint8Array(32), n, keyLive: true, action };
    return world.keysCaller.call(identityStep, step);
  };

  it("lets nobody in, and the very same answer is judged when it can be", async () => {
    const { webhook } = await make();
    await setPolicy([custom(webhook.id)]);
    const { hid, outcome } = await challenged();
    expect(outcome).toMatchObject({ say: "challenge", options: [{ prompt: { kind: "custom", prompt: "?" } }] });
    world.factors.before = () => {
      throw new ServiceError("unavailable");
    };
    await expect(answer(hid, 1, outcome)).rejects.toMatchObject({ code: "unavailable" });
    await expect(answer(hid, 1, outcome)).rejects.toMatchObject({ code: "unavailable" });
    // Another answer in its place is none: nothing could be told from trying several.
    await expect(answer(hid, 2, outcome)).rejects.toMatchObject({ code: "busy" });
    world.factors.before = () => undefined;
    expect(await answer(hid, 1, outcome)).toMatchObject({ say: "accepted", gates: ["question"] });
  });

  it.each([
    ["right stays right", "right", { retry: false, attemptsLeft: 3, options: [{ at: "1" }] }],
    ["wrong counts as wrong, once", "wrong", { retry: true, attemptsLeft: 2, options: [{ at: "0" }] }],
  ])(
    "is asked when it can be, over another connection too, and the answer before it that was %s",
    async (_what, value, next) => {
      const { webhook } = await make();
      await setPolicy([custom(webhook.id), custom(webhook.id)]);
      const { hid, outcome } = await challenged();
      const { prompt } = world.factors;
      world.factors.prompt = null;
      for (let times = 0; times < 2; times += 1)
        await expect(answer(hid, 1, outcome, value)).rejects.toMatchObject({ code: "unavailable" });
      // At once, and as often as they come: nobody is looking at an answer for which they would have to wait.
      for (let times = 0; times < 2; times += 1)
        await expect(challenged(hid)).rejects.toMatchObject({ code: "unavailable" });
      world.factors.prompt = prompt;
      const again = await challenged(hid);
      expect(again.outcome).toMatchObject({ say: "challenge", ...next });
      expect(world.factors.verified).toHaveLength(1);
      // What was on its way on the connection before is of no use to anybody.
      await expect(answer(hid, 1, outcome, value)).rejects.toMatchObject({ code: "conflict" });
    },
  );

  it("gets no more time by coming back than it would have had", async () => {
    const { webhook } = await make();
    await setPolicy([custom(webhook.id), custom(webhook.id)]);
    const { hid, outcome } = await challenged();
    world.factors.prompt = null;
    await expect(answer(hid, 1, outcome)).rejects.toMatchObject({ code: "unavailable" });
    world.advance(30_000);
    expect((await challenged(hid)).outcome).toMatchObject({ say: "denied" });
  });

  it("is not asked, and where it is the only way nothing is said", async () => {
    const { webhook } = await make();
    await setPolicy([custom(webhook.id)]);
    world.factors.prompt = null;
    await expect(challenged()).rejects.toMatchObject({ code: "unavailable" });
    await setPolicy([{ anyOf: [custom(webhook.id), external(webhook.id)] }]);
    expect((await challenged()).outcome).toMatchObject({ say: "challenge", options: [{ gate: "external" }] });
  });
});

import { createSocket, getSocket, simulatePolicy, validatePolicyDocument } from "@portcullis/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeOf, refusal, startWorld, type World } from "./support/world.ts";

let world: World;
let ownerId: string;
let socketId: string;
const shared = { gates: [{ gate: "key" }, { gate: "otp", of: "socket" }] };

beforeAll(async () => {
  world = await startWorld();
  ({ ownerId } = await world.owner());
  const made = await world.api.call(createSocket, {
    ownerId,
    label: "one",
    path: null,
    idParameter: null,
    policy: shared,
  });
  socketId = made.id;
});
afterAll(() => world.close());

describe("a policy that is to be validated", () => {
  const validate = (policy: Record<string, unknown>, of: string | null = null, who = ownerId) =>
    world.api.call(validatePolicyDocument, { ownerId: who, socketId: of, policy });

  it("gets its issues, each with its place, or what is weaker in it than it may look", async () => {
    expect(await validate({ gates: [{ gate: "fax" }], mode: 1 })).toEqual({
      ok: false,
      issues: [
        { code: "invalid", path: "gates.0.gate", message: expect.stringContaining("allowed: path") },
        { code: "invalid", path: "mode", message: "allowed: prompted, offered" },
      ],
      advice: [],
    });
    const { ok, advice } = await validate({ gates: [{ gate: "email" }] });
    expect(ok).toBe(true);
    expect(advice.map(({ code, severity }) => [code, severity])).toEqual([
      ["readers-get-in", "danger"],
      ["discoverable", "warning"],
      ["relay", "warning"],
      ["email-no-authenticator", "warning"],
      ["not-sealed", "info"],
    ]);
  });

  it("is compared with what the owner's socket has, and with nobody else's", async () => {
    const codes = async (of: string | null) => (await validate(shared, of)).advice.map(({ code }) => code);
    expect(await codes(socketId)).toContain("not-enrolled");
    expect(await codes(null)).not.toContain("not-enrolled");
    const eve = await world.owner();
    expect(await codeOf(validate(shared, socketId, eve.ownerId))).toBe("not_found");
  });

  it("is what the socket is advised by as well", async () => {
    const made = await world.api.call(createSocket, {
      ownerId,
      label: "two",
      path: null,
      idParameter: null,
      policy: { gates: [{ gate: "email" }] },
    });
    expect(made.advice).toEqual((await validate({ gates: [{ gate: "email" }] })).advice);
    const one = await world.api.call(getSocket, { ownerId, socketId });
    expect(one.advice.map(({ code }) => code)).toContain("not-enrolled");
    expect(one.advice).toEqual((await validate(shared, socketId)).advice);
  });
});

describe("a policy that is to be played", () => {
  const play = (policy: Record<string, unknown>, script: Record<string, unknown>[] | null, facts = {}) =>
    world.api.call(simulatePolicy, { ownerId, policy, script, facts });

  it("is played by the machine, and nobody is asked or sent anything", async () => {
    const { simulation, exploration } = await play(shared, [{ answer: "otp", right: false }, { pass: "30s" }]);
    expect([simulation.verdict, simulation.cause]).toEqual(["deny", "deadline"]);
    expect(exploration.ways).toMatchObject([{ devices: ["app-key", "socket-authenticator"] }]);
    expect((await play(shared, null)).simulation.verdict).toBe("accept");
    expect(world.factors.verified).toEqual([]);
  });

  it("is refused with its place where policy, script or facts are wrong", async () => {
    const issues = async (...given: Parameters<typeof play>) => (await refusal(play(...given)))?.issues;
    expect(await issues({ gates: [] }, null)).toMatchObject([{ path: "policy.gates" }]);
    expect(await issues(shared, [{ pass: "1s" }, { jump: true }])).toMatchObject([{ path: "script.1" }]);
    expect(await issues(shared, null, { risk: "none" })).toMatchObject([{ path: "facts.risk" }]);
    expect(await issues(shared, null, { at: "noon" })).toMatchObject([{ path: "facts.at" }]);
  });
});

import {
  decideWait,
  listPending,
  readWait,
  startWait,
  verifyFactors,
  type WaitView,
  wakeHandshake,
  withdrawGrant,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { anywhere, type Factors, freshHid, startFactors } from "./harness.ts";

const minuteMs = 60_000;
/** Two replicas on one store: every request goes to one of them by turns. */
let factors: Factors;
let woken: string[] = [];
beforeEach(async () => {
  factors = await startFactors();
  woken = [];
  await factors.as("identity").server.serve(wakeHandshake, ({ waitId }) => {
    woken.push(waitId);
    return {};
  });
});
afterEach(() => factors.stop());

let names = 0;
interface Asked {
  readonly waitId?: string;
  readonly quorum?: number;
  readonly socketId?: string;
  readonly member?: string | null;
  readonly network?: string;
}
async function start(options: Asked = {}): Promise<{ waitId: string; view: WaitView; number: string }> {
  names += 1;
  const { waitId = `w${names}`, quorum = 1, socketId = "s1", member = "bob", network = "n1" } = options;
  const view = await factors.identity.call(startWait, {
    waitId,
    handshake: freshHid(),
    socketId,
    enrolmentId: null,
    gate: "approval",
    config: { quorum, notify: "none" },
    to: null,
    member,
    label: "chat",
    untilMs: factors.now() + 10 * minuteMs,
    network,
  });
  return { waitId, view, number: `${view.prompt.number}` };
}
const everybody = Array.from({ length: 40 }, (_, index) => `g${index}`);
interface Deciding {
  readonly socketId?: string;
  readonly entitled?: string[];
}
const decide = (
  waitId: string,
  grant: string,
  decision: object,
  { socketId = "s1", entitled = everybody }: Deciding = {},
) => factors.identity.call(decideWait, { socketId, waitId, grant, entitled, decision: decision as { say: "refuse" } });
const approve = (waitId: string, grant: string, number: string, options: Deciding = {}) =>
  decide(waitId, grant, { say: "approve", number }, options);
const refuse = (waitId: string, grant: string) => decide(waitId, grant, { say: "refuse" });
const read = (waitId: string) => factors.identity.call(readWait, { waitId });
const pending = async (socketId = "s1", waitId: string | null = null) =>
  (await factors.identity.call(listPending, { socketId, waitId })).pending;
const wrong = (number: string) => (number === "111" ? "222" : "111");
const statesOf = (decided: readonly { readonly state: string }[]) =>
  Object.fromEntries(
    [...Map.groupBy(decided, ({ state }) => state)].map(([state, all]) => [state, all.length] as const),
  );

describe("a wait that people of the socket decide", () => {
  it("shows its number to whoever waits, sends nothing, and is listed without the number", async () => {
    const { waitId, view, number } = await start({ quorum: 2 });
    expect(view).toEqual({
      prompt: { by: "approval", number, given: 0, needed: 2 },
      status: "sent",
      resendAtMs: null,
    });
    expect(number).toMatch(/^[1-9]\d\d$/);
    const [listed] = await pending();
    expect(listed).toMatchObject({ waitId, fate: "open", needed: 2, given: [] });
    expect(JSON.stringify({ ...listed, handshake: "" })).not.toContain(number);
    expect(await pending("s2")).toEqual([]);
  });

  it("is begun once for each id, whichever replica is asked, with one number", async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => start({ waitId: "same" })));
    expect(new Set(all.map(({ number }) => number)).size).toBe(1);
    expect(await pending()).toHaveLength(1);
  });

  it("is confirmed by the number, once, and wakes whoever waits; the same again gets the same answer and another late one none", async () => {
    const { waitId, number } = await start();
    expect(await approve(waitId, "g1", number)).toEqual({ state: "approved", given: 1, needed: 1 });
    expect((await read(waitId)).fate).toBe("confirmed");
    expect(woken).toEqual([waitId]);
    expect(await approve(waitId, "g1", number)).toMatchObject({ state: "approved" });
    expect(await approve(waitId, "g2", number)).toMatchObject({ state: "gone" });
    expect(await approve(waitId, "g1", wrong(number))).toMatchObject({ state: "gone" });
    expect(await refuse(waitId, "g2")).toMatchObject({ state: "gone" });
    expect((await read(waitId)).fate).toBe("confirmed");
    expect(await pending()).toEqual([]);
  });

  it("counts each grant once: a quorum of two takes two, and whoever waits is told of the first", async () => {
    const { waitId, number } = await start({ quorum: 2 });
    for (let n = 0; n < 3; n += 1)
      expect(await approve(waitId, "g1", number)).toEqual({ state: "waiting", given: 1, needed: 2 });
    expect(await read(waitId)).toMatchObject({ fate: "open", wait: { prompt: { given: 1, needed: 2 } } });
    expect(woken.length).toBeGreaterThan(0);
    expect((await pending())[0]?.given).toEqual(["g1"]);
    expect(await approve(waitId, "g2", number)).toEqual({ state: "approved", given: 2, needed: 2 });
  });

  it("is over with one refusal, whatever was approved before", async () => {
    const { waitId, number } = await start({ quorum: 3 });
    await approve(waitId, "g1", number);
    await approve(waitId, "g2", number);
    expect(await refuse(waitId, "g3")).toMatchObject({ state: "refused" });
    expect((await read(waitId)).fate).toBe("refused");
    expect(await refuse(waitId, "g4")).toMatchObject({ state: "refused" });
    expect(await approve(waitId, "g4", number)).toMatchObject({ state: "gone" });
    expect((await read(waitId)).fate).toBe("refused");
  });

  it("takes three wrong numbers in all, whoever types them, and then not the right one either", async () => {
    const { waitId, number } = await start({ quorum: 2 });
    expect(await approve(waitId, "g1", wrong(number))).toMatchObject({ state: "wrong" });
    expect(await approve(waitId, "g2", number)).toMatchObject({ state: "waiting", given: 1 });
    expect(await approve(waitId, "g2", wrong(number))).toMatchObject({ state: "wrong" });
    expect(woken).toEqual([waitId]);
    expect(await approve(waitId, "g3", wrong(number))).toMatchObject({ state: "spent" });
    expect((await read(waitId)).fate).toBe("spent");
    expect(await approve(waitId, "g1", number)).toMatchObject({ state: "gone" });
    expect(await pending()).toEqual([]);
  });

  it("lets nobody guess faster by guessing at once: of all 900 numbers three are looked at", async () => {
    const { waitId, number } = await start();
    const numbers = Array.from({ length: 60 }, (_, index) => `${100 + index}`).filter((each) => each !== number);
    const states = statesOf(await Promise.all(numbers.map((each) => approve(waitId, "g1", each))));
    expect(states).toMatchObject({ wrong: 2, spent: 1 });
    expect((await read(waitId)).fate).toBe("spent");
  });

  it("comes to one verdict of a hundred approvals at once", async () => {
    const { waitId, number } = await start();
    const entitled = Array.from({ length: 50 }, (_, index) => `h${index}`);
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, index) => approve(waitId, `h${index % 50}`, number, { entitled })),
    );
    const approved = new Set(all.flatMap(({ state }, index) => (state === "approved" ? [index % 50] : [])));
    expect(approved.size).toBe(1);
    expect(statesOf(all)).toEqual({ approved: 2, gone: 98 });
    expect((await read(waitId)).fate).toBe("confirmed");
  });

  it("never counts more than its quorum, and of approvals and a refusal at once one thing comes", async () => {
    for (let round = 0; round < 5; round += 1) {
      const { waitId, number } = await start({ quorum: 2, member: `m${round}`, network: `n${round}` });
      const decided = await Promise.all([
        ...everybody.slice(0, 10).map((grant) => approve(waitId, grant, number)),
        refuse(waitId, "g20"),
      ]);
      const { fate } = await read(waitId);
      const states = statesOf(decided);
      if (fate === "confirmed") expect(states).toMatchObject({ waiting: 1, approved: 1, gone: 9 });
      else expect([fate, states.refused, states.approved]).toEqual(["refused", 1, undefined]);
    }
  });

  it("is gone for another socket, when it is over, and for who may not approve", async () => {
    const { waitId, number } = await start();
    expect(await approve(waitId, "g1", number, { socketId: "s2" })).toMatchObject({ state: "gone" });
    expect(await approve(waitId, "g1", number, { entitled: ["g2"] })).toMatchObject({ state: "gone" });
    expect(await approve("no-such-wait", "g1", number)).toMatchObject({ state: "gone" });
    expect((await read(waitId)).fate).toBe("open");
    factors.advance(10 * minuteMs);
    expect(await approve(waitId, "g1", number)).toMatchObject({ state: "gone" });
    expect(await pending()).toEqual([]);
    expect(await pending("s1", waitId)).toEqual([]);
  });

  it("is not decided through the page of a link, nor in the client", async () => {
    const { waitId, number } = await start();
    const items = [{ ref: "r1", gate: "approval", config: { quorum: 1, notify: "none" }, value: number, waitId }];
    const where = { ...anywhere, hid: freshHid(), socketId: "s1", memberId: "bob" };
    const { results } = await factors.identity.call(verifyFactors, { ...where, items });
    expect(results).toEqual([{ ref: "r1", ok: false, cause: "elsewhere" }]);
    expect((await read(waitId)).fate).toBe("open");
  });

  it("leaves no number, member or approver's name in the log", async () => {
    const { waitId, number } = await start({ member: "planted-member" });
    await approve(waitId, "g1", wrong(number));
    await approve(waitId, "g1", number);
    const log = factors.logged.map((line) => ({ ...JSON.parse(line), time: "", instance: "" }));
    expect(
      log.filter(({ msg }) => msg === "an approval was decided").map(({ state, grant }) => [state, grant]),
    ).toEqual([
      ["wrong", "g1"],
      ["approved", "g1"],
    ]);
    expect(JSON.stringify(log)).not.toContain("planted-member");
    expect(log.some((line) => Object.values(line).includes(number))).toBe(false);
  });
});

describe("an approver whose right is taken away", () => {
  it("does not count any more in the moment in which the quorum is reached, heard of or not", async () => {
    const { waitId, number } = await start({ quorum: 2 });
    await approve(waitId, "g1", number);
    const entitled = everybody.filter((grant) => grant !== "g1");
    expect(await approve(waitId, "g2", number, { entitled })).toEqual({ state: "waiting", given: 1, needed: 2 });
    expect(await approve(waitId, "g3", number, { entitled })).toMatchObject({ state: "approved", given: 2 });
  });

  it("is taken out of what was given, which whoever waits is told, and stays out", async () => {
    const { waitId, number } = await start({ quorum: 2 });
    await approve(waitId, "g1", number);
    const told = woken.length;
    await factors.identity.call(withdrawGrant, { socketId: "s1", grant: "g1" });
    expect(await read(waitId)).toMatchObject({ fate: "open", wait: { prompt: { given: 0, needed: 2 } } });
    expect(woken.length).toBe(told + 1);
    // A request that was under way when it was taken away still names it.
    expect(await approve(waitId, "g1", number)).toMatchObject({ state: "gone" });
    expect(await approve(waitId, "g2", number)).toMatchObject({ state: "waiting", given: 1 });
    expect(await approve(waitId, "g1b", number, { entitled: [...everybody, "g1b"] })).toMatchObject({
      state: "approved",
    });
  });

  it("has decided what was decided before", async () => {
    const { waitId, number } = await start();
    await approve(waitId, "g1", number);
    await factors.identity.call(withdrawGrant, { socketId: "s1", grant: "g1" });
    expect((await read(waitId)).fate).toBe("confirmed");
  });

  it("counts before or not at all, however the two cross", async () => {
    for (let round = 0; round < 10; round += 1) {
      const { waitId, number } = await start({ quorum: 2, member: `m${round}`, network: `n${round}` });
      await approve(waitId, `a${round}`, number, { entitled: [`a${round}`, "g2"] });
      const [, decided] = await Promise.all([
        factors.identity.call(withdrawGrant, { socketId: "s1", grant: `a${round}` }),
        approve(waitId, "g2", number, { entitled: [`a${round}`, "g2"] }),
      ]);
      const { fate, wait } = await read(waitId);
      expect(fate).toBe(decided.state === "approved" ? "confirmed" : "open");
      if (fate === "open") expect(wait?.prompt.given).toBe(1);
      await refuse(waitId, "g2");
    }
  });
});

describe("who asks to be let in again and again", () => {
  it("is listed no more after ten times that nobody approved, and told so; one approval forgives", async () => {
    for (let n = 0; n < 9; n += 1) expect((await start()).view.status).toBe("sent");
    const tenth = await start();
    expect(tenth.view.status).toBe("sent");
    const more = await start();
    expect(more.view.status).toBe("refused");
    expect((await pending()).map(({ waitId }) => waitId)).not.toContain(more.waitId);
    expect(await approve(more.waitId, "g1", more.number)).toMatchObject({ state: "gone" });
    // Another name from the same network, and the same name from another one, are no way around it.
    expect((await start({ member: "ann" })).view.status).toBe("refused");
    expect((await start({ network: "n2" })).view.status).toBe("refused");
    expect((await start({ member: "ann", network: "n2" })).view.status).toBe("sent");
    expect((await start({ socketId: "s2" })).view.status).toBe("sent");
    await approve(tenth.waitId, "g1", tenth.number);
    expect((await start()).view.status).toBe("sent");
  });

  it("may again after an hour", async () => {
    for (let n = 0; n < 11; n += 1) await start();
    factors.advance(60 * minuteMs);
    expect((await start()).view.status).toBe("sent");
  });

  it("asked for twice is asked for once", async () => {
    for (let n = 0; n < 30; n += 1) expect((await start({ waitId: "same" })).view.status).toBe("sent");
    expect((await start()).view.status).toBe("sent");
  });

  it("does not fill the list beyond a hundred by coming at once", async () => {
    for (let n = 0; n < 97; n += 1) await start({ member: `m${n}`, network: `n${n}` });
    const asked = Array.from({ length: 50 }, (_, n) => start({ member: `late${n}`, network: `late${n}` }));
    const sent = (await Promise.all(asked)).filter(({ view }) => view.status === "sent");
    expect(sent.length).toBeLessThanOrEqual(3);
    expect((await pending()).length).toBeLessThanOrEqual(100);
  });

  it("does not fill the list without end, from however many networks", async () => {
    for (let n = 0; n < 101; n += 1) await start({ member: `m${n}`, network: `n${n}` });
    expect(await pending()).toHaveLength(100);
    expect((await start({ member: "late", network: "late" })).view.status).toBe("refused");
  });
});

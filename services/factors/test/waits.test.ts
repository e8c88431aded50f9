import {
  composeWait,
  confirmWait,
  findWait,
  readWait,
  reportWait,
  resendWait,
  startWait,
  verifyFactors,
  type WaitView,
  waitQueue,
  wakeHandshake,
} from "@portcullis/contracts";
import type { Job } from "@portcullis/jobs";
import { createVault, fixedKeys, systemRandom } from "@portcullis/runtime";
import { afterEach, describe, expect, it } from "vitest";
import { createSendLimits } from "../src/waits/limits.ts";
import { createWaitSecrets } from "../src/waits/secrets.ts";
import { anywhere, type Factors, type FactorsOptions, freshHid, startFactors } from "./harness.ts";

const minuteMs = 60_000;
let factors: Factors;
let notify: ReturnType<Factors["as"]>;
let api: ReturnType<Factors["as"]>;
/** Handshakes that were woken, in order. */
let woken: string[] = [];
/** How often waking fails before it works. */
let deaf = 0;
afterEach(() => factors.stop());

async function started(options: FactorsOptions = {}) {
  factors = await startFactors(options);
  notify = factors.as("notify");
  api = factors.as("api");
  woken = [];
  deaf = 0;
  await factors.as("identity").server.serve(wakeHandshake, ({ waitId }) => {
    if (deaf > 0) {
      deaf -= 1;
      throw new Error("not now");
    }
    woken.push(waitId);
    return {};
  });
}

let names = 0;
interface Started {
  readonly waitId?: string;
  readonly gate?: "email" | "sms" | "call";
  readonly by?: "code" | "link";
  readonly to?: string;
  readonly socketId?: string;
  readonly enrolmentId?: string;
  readonly untilMs?: number;
}
const numberOf = ({ prompt }: WaitView) => `${prompt.number ?? "none"}`;
async function start(options: Started = {}): Promise<{ waitId: string; view: WaitView }> {
  names += 1;
  const { waitId = `w${names}`, gate = "sms", by = "code", socketId = "s1", enrolmentId = "e1" } = options;
  const view = await factors.identity.call(startWait, {
    waitId,
    handshake: freshHid(),
    socketId,
    enrolmentId,
    gate,
    config: { by },
    to: options.to ?? (gate !== "email" ? `+4930${1_000_000 + names}` : `grace${names}@receiver.example`),
    member: "bob",
    label: "chat",
    network: "n1",
    untilMs: options.untilMs ?? factors.now() + 10 * minuteMs,
  });
  return { waitId, view };
}
const compose = async (waitId: string) => (await notify.caller.call(composeWait, { waitId })).message;
const codeOf = async (waitId: string) => /\b\d{6}\b/.exec((await compose(waitId))?.text ?? "")?.[0] ?? "none";
const tokenOf = async (waitId: string) => /\/confirm\/(\S+)/.exec((await compose(waitId))?.text ?? "")?.[1] ?? "none";
const resend = (waitId: string, ref: string) => factors.identity.call(resendWait, { waitId, ref });
const read = (waitId: string) => factors.identity.call(readWait, { waitId });
async function check(
  waitId: string | null,
  value: string,
  options: { hid?: string; ref?: string; socketId?: string } = {},
) {
  const { hid = freshHid(), ref = "r1", socketId = "s1" } = options;
  const items = [{ ref, gate: "sms", config: { by: "code" }, value, waitId }];
  const { results } = await factors.identity.call(verifyFactors, {
    ...anywhere,
    hid,
    socketId,
    memberId: "bob",
    items,
  });
  return results[0]?.ok === true ? "ok" : results[0]?.cause;
}
const confirm = async (token: string, number: string, address = "192.0.2.1") =>
  (await api.caller.call(confirmWait, { token, number, address })).result;
/** On the messages of all channels. */
async function workOn(handler: (job: Job) => Promise<void>): Promise<() => Promise<void>> {
  const names = Object.values(waitQueue.names);
  const workers = await Promise.all(names.map((name) => factors.jobs.work(name, handler)));
  return async () => void (await Promise.all(workers.map((worker) => worker.close())));
}
const sendings = async (waitId: string): Promise<string[]> => {
  const ids: string[] = [];
  const stop = await workOn(async ({ data }) => {
    if (data.waitId === waitId) ids.push(String(data.sending));
  });
  await expect.poll(() => ids.length, { interval: 5 }).toBeGreaterThan(0);
  await stop();
  return ids;
};
/** Everything that is in the queue; perhaps nothing. */
const queued = async (): Promise<unknown[]> => {
  const ids: unknown[] = [];
  const stop = await workOn(async ({ data }) => void ids.push(data.sending));
  const last = { id: "last", data: { waitId: "last", sending: "last" } };
  const names = Object.values(waitQueue.names);
  for (const name of names) await factors.jobs.enqueue(name, last);
  await expect.poll(() => ids.filter((id) => id === "last")).toHaveLength(names.length);
  await stop();
  return ids.filter((id) => id !== "last");
};
const wrong = (code: string) => (code === "111111" ? "222222" : "111111");

describe("a call", () => {
  const spoken = async (waitId: string) =>
    [...((await compose(waitId))?.text ?? "").matchAll(/(?:\d, ){5}\d/g)].map(([digits]) =>
      digits.replaceAll(", ", ""),
    );

  it("says the code twice, digit by digit, to the contact alone; the client sees two digits of the number", async () => {
    await started();
    const { waitId, view } = await start({ gate: "call", to: "+49301234567" });
    expect(view).toMatchObject({ prompt: { by: "code", to: "\u2022\u2022\u202267" }, status: "queued" });
    expect(await compose(waitId)).toMatchObject({ channel: "call", to: "+49301234567", subject: "" });
    const [first = "", ...again] = await spoken(waitId);
    expect(again).toEqual([first]);
    expect(await check(waitId, wrong(first))).toBe("wrong");
    const hid = freshHid();
    expect(await check(waitId, first, { hid })).toBe("ok");
    expect(await check(waitId, first, { hid })).toBe("ok");
    expect(await check(waitId, first)).toBe("used");
    expect(factors.logged.join("")).not.toContain("+49301234567");
  });

  it("is made so often for a socket in a day, and by code alone", async () => {
    await started({ config: { callsPerSocketDay: 2 } });
    const statuses: string[] = [];
    for (let index = 0; index < 3; index += 1) statuses.push((await start({ gate: "call" })).view.status);
    expect(statuses).toEqual(["queued", "queued", "refused"]);
    expect((await start({ gate: "sms" })).view.status).toBe("queued");
    await expect(start({ gate: "call", by: "link", socketId: "s2" })).rejects.toMatchObject({ code: "invalid" });
  });

  it("goes to no range of numbers whose codes do not come back: calls earn more than messages do", async () => {
    await started();
    const to = (index: number) => `+4930123${1_000 + index}`;
    for (let index = 0; index < 20; index += 1)
      expect((await start({ gate: "call", to: to(index) })).view.status).toBe("queued");
    expect((await start({ gate: "call", to: to(21) })).view.status).toBe("refused");
    expect((await start({ gate: "sms", to: to(22) })).view.status).toBe("refused");
  });
});

describe("a wait by code", () => {
  it("leaves a job that names it, and the message says a code of six digits to the contact alone", async () => {
    await started();
    const { waitId, view } = await start({ to: "+49301234567" });
    expect(view).toEqual({
      prompt: { by: "code", to: "•••67" },
      status: "queued",
      resendAtMs: factors.now() + minuteMs,
    });
    const message = await compose(waitId);
    expect(message).toMatchObject({ channel: "sms", to: "+49301234567" });
    expect(message?.text).toMatch(/^\d{6} is your code for chat\./);
    expect(await sendings(waitId)).toHaveLength(1);
  });

  it("passes who types it, once, and the same request again", async () => {
    await started();
    const { waitId } = await start();
    const code = await codeOf(waitId);
    const hid = freshHid();
    expect(await check(waitId, code, { hid })).toBe("ok");
    expect(await check(waitId, code, { hid })).toBe("ok");
    expect(await check(waitId, code, { hid, ref: "r2" })).toBe("used");
    expect(await check(waitId, code)).toBe("used");
  });

  it("passes one of many that present it at once, on whichever replica", async () => {
    await started();
    const { waitId } = await start();
    const code = await codeOf(waitId);
    const results = await Promise.all(Array.from({ length: 5 }, () => check(waitId, code)));
    expect(results.filter((each) => each === "ok")).toHaveLength(1);
  });

  it("refuses another wait's code, another socket, no wait, and a link's wait", async () => {
    await started();
    const [one, two, linked] = [await start(), await start(), await start({ by: "link" })];
    const code = await codeOf(one.waitId);
    expect(await check(two.waitId, code === (await codeOf(two.waitId)) ? "x" : code)).toBe("wrong");
    expect(await check(one.waitId, code, { socketId: "s2" })).toBe("no-wait");
    expect(await check(null, code)).toBe("no-wait");
    expect(await check("unknown", code)).toBe("no-wait");
    expect(await check(linked.waitId, code)).toBe("no-wait");
    expect(await check(one.waitId, code)).toBe("ok");
  });

  it("is used up by five wrong ones, summed over its messages: the right one comes too late", async () => {
    await started();
    const { waitId } = await start();
    const code = await codeOf(waitId);
    for (let guess = 0; guess < 3; guess += 1) expect(await check(waitId, wrong(code))).toBe("wrong");
    factors.advance(minuteMs);
    await resend(waitId, "r1");
    for (let guess = 0; guess < 2; guess += 1) expect(await check(waitId, wrong(code))).toBe("wrong");
    expect(await check(waitId, code)).toBe("exhausted");
  });

  it("gives the last try that it has the same result again when it is asked again", async () => {
    await started();
    const { waitId } = await start();
    const code = await codeOf(waitId);
    for (let guess = 0; guess < 4; guess += 1) expect(await check(waitId, wrong(code))).toBe("wrong");
    const hid = freshHid();
    for (let asked = 0; asked < 3; asked += 1) expect(await check(waitId, code, { hid })).toBe("ok");
    expect(await check(waitId, code)).toBe("exhausted");
  });

  it("ends with its time, and is not sent after it", async () => {
    await started();
    const untilMs = factors.now() + 5 * minuteMs;
    const { waitId } = await start({ untilMs });
    const code = await codeOf(waitId);
    expect(await compose(waitId)).toMatchObject({ untilMs });
    factors.advance(5 * minuteMs);
    expect(await check(waitId, code)).toBe("no-wait");
    expect(await compose(waitId)).toBe(null);
    expect(await read(waitId)).toEqual({ wait: null, fate: "open" });
  });

  it("is dead for a contact after too many wrong codes in a row over all its waits, and not for another contact", async () => {
    await started({ failuresMax: 6 });
    for (const enrolmentId of ["dead", "dead"]) {
      const { waitId } = await start({ enrolmentId });
      const code = await codeOf(waitId);
      for (let guess = 0; guess < 3; guess += 1) await check(waitId, wrong(code));
    }
    const dead = await start({ enrolmentId: "dead" });
    expect(await check(dead.waitId, await codeOf(dead.waitId))).toBe("exhausted");
    const alive = await start({ enrolmentId: "alive" });
    expect(await check(alive.waitId, await codeOf(alive.waitId))).toBe("ok");
  });
});

describe("a wait by link", () => {
  it("is confirmed by the number alone, and wakes its handshake", async () => {
    await started();
    const { waitId, view } = await start({ gate: "email", by: "link" });
    expect(numberOf(view)).toMatch(/^[1-9]\d\d$/);
    const token = await tokenOf(waitId);
    expect((await compose(waitId))?.text).toContain(`https://p.example/confirm/${token}`);
    expect((await compose(waitId))?.text).not.toContain(numberOf(view));
    expect(await api.caller.call(findWait, { token, address: "192.0.2.1" })).toEqual({ wait: { label: "chat" } });
    expect(await read(waitId)).toMatchObject({ fate: "open" });
    expect(await confirm(token, numberOf(view) ?? "")).toBe("confirmed");
    expect(await read(waitId)).toMatchObject({ fate: "confirmed" });
    expect(woken).toEqual([waitId]);
    // Again by the same person; the page itself is gone.
    expect(await confirm(token, numberOf(view) ?? "")).toBe("confirmed");
    expect(await api.caller.call(findWait, { token, address: "192.0.2.1" })).toEqual({ wait: null });
    expect(await compose(waitId)).toBe(null);
  });

  it("is gone after three wrong numbers, after its time, and for a token that was never made", async () => {
    const masterKey = systemRandom(32);
    await started({ masterKey });
    const one = await start({ by: "link" });
    const token = await tokenOf(one.waitId);
    const number = numberOf(one.view);
    const guesses: string[] = [];
    for (let guess = 0; guess < 3; guess += 1) guesses.push(await confirm(token, number === "111" ? "112" : "111"));
    expect(guesses).toEqual(["wrong", "wrong", "gone"]);
    // Whoever waits is told.
    expect([await read(one.waitId), woken]).toMatchObject([{ fate: "spent" }, [one.waitId]]);
    expect(await confirm(token, number)).toBe("gone");
    expect((await read(one.waitId)).fate).toBe("spent");
    expect(await api.caller.call(findWait, { token, address: "192.0.2.1" })).toEqual({ wait: null });
    expect(await compose(one.waitId)).toBe(null);
    woken.splice(0);

    const two = await start({ by: "link", untilMs: factors.now() + minuteMs });
    const late = await tokenOf(two.waitId);
    factors.advance(minuteMs);
    expect(await confirm(late, numberOf(two.view))).toBe("gone");

    const [three, four] = [await start({ by: "link" }), await start({ by: "link" })];
    const [, tag = ""] = (await tokenOf(three.waitId)).split(".");
    for (const forged of ["", "x", `${three.waitId}.`, `${three.waitId}.${tag.slice(1)}A`])
      expect(await confirm(forged, numberOf(three.view)), forged).toBe("gone");
    expect(await confirm(`${four.waitId}.${tag}`, numberOf(four.view))).toBe("gone");
    const code = await start();
    const never = createWaitSecrets(createVault(fixedKeys(masterKey, "factors"))).tokenOf(code.waitId);
    expect(await confirm(never, "123")).toBe("gone");
    expect(await api.caller.call(findWait, { token: never, address: "192.0.2.1" })).toEqual({ wait: null });
    expect(woken).toEqual([]);
  });

  it("stays confirmed however often the right number is sent again", async () => {
    await started();
    const { waitId, view } = await start({ by: "link" });
    const token = await tokenOf(waitId);
    for (let sent = 0; sent < 5; sent += 1) expect(await confirm(token, numberOf(view) ?? "")).toBe("confirmed");
    expect(woken).toHaveLength(5);
    factors.advance(minuteMs);
    expect(await resend(waitId, "r1")).toMatchObject({ status: "queued", resendAtMs: factors.now() });
  });

  it("is dead for a contact after too many wrong numbers in a row over all its links, and codes count along", async () => {
    await started({ failuresMax: 6 });
    const linked = async (enrolmentId: string) => {
      const { waitId, view } = await start({ by: "link", enrolmentId });
      return { token: await tokenOf(waitId), number: numberOf(view) ?? "" };
    };
    const other = (number: string) => (number === "111" ? "112" : "111");
    const [one, dead, alive] = [await linked("dead"), await linked("dead"), await linked("alive")];
    for (let guess = 0; guess < 2; guess += 1) await confirm(one.token, other(one.number));
    expect(await confirm(one.token, one.number)).toBe("confirmed");
    const { waitId } = await start({ enrolmentId: "dead" });
    for (let guess = 0; guess < 4; guess += 1) await check(waitId, wrong(await codeOf(waitId)));
    for (let guess = 0; guess < 2; guess += 1) expect(await confirm(dead.token, other(dead.number))).toBe("wrong");
    expect(await confirm(dead.token, dead.number)).toBe("gone");
    expect(await confirm(alive.token, alive.number)).toBe("confirmed");
  });

  it("takes so many tries from one network, whatever the links", async () => {
    await started();
    const tries = Array.from({ length: 61 }, () => confirm("x", "123", "198.51.100.7").catch((error) => error.code));
    expect((await Promise.all(tries)).filter((each) => each === "too_many")).toHaveLength(1);
    const looking = api.caller.call(findWait, { token: "x", address: "198.51.100.7" });
    await expect(looking).rejects.toMatchObject({ code: "too_many" });
    expect(await confirm("x", "123", "198.51.100.8")).toBe("gone");
  });

  it("wakes by a job where the handshake cannot be told at once", async () => {
    await started();
    const { waitId, view } = await start({ by: "link" });
    deaf = 3;
    await confirm(await tokenOf(waitId), numberOf(view) ?? "");
    expect(woken).toEqual([]);
    const jobs: unknown[] = [];
    const worker = await factors.jobs.work("wakes", async ({ data }) => void jobs.push(data));
    factors.advance(2_000);
    await expect.poll(() => jobs).toEqual([{ waitId }]);
    await worker.close();
  });

  it("goes on trying to wake for as long as a wait may last", async () => {
    await started();
    const { waitId, view } = await start({ by: "link" });
    deaf = 3;
    await confirm(await tokenOf(waitId), numberOf(view) ?? "");
    const confirmedAtMs = factors.now();
    const triedAtMs: number[] = [];
    const worker = await factors.jobs.work("wakes", async () => {
      triedAtMs.push(factors.now());
      throw new Error("not now");
    });
    for (const untilMs of [1_500, 2_000, 3_000, 5_000, 9_000, 17_000, 33_000, 65_000, 129_000, 257_000, 513_000]) {
      factors.advance(confirmedAtMs + untilMs - factors.now());
      await expect.poll(() => triedAtMs.at(-1), { interval: 5 }).toBe(factors.now());
    }
    await worker.close();
  });

  it("leaves no job behind where it could", async () => {
    await started();
    const { waitId, view } = await start({ by: "link" });
    deaf = 2;
    await confirm(await tokenOf(waitId), numberOf(view) ?? "");
    expect(woken).toEqual([waitId]);
    const jobs: unknown[] = [];
    const worker = await factors.jobs.work("wakes", async ({ data }) => void jobs.push(data));
    factors.advance(minuteMs);
    await factors.jobs.enqueue("wakes", { id: "last", data: { waitId: "last" } });
    await expect.poll(() => jobs).toEqual([{ waitId: "last" }]);
    await worker.close();
  });
});

describe("messages are limited", () => {
  it("to one in 60 s, with the same code each time, however often one asks", async () => {
    await started();
    const { waitId } = await start();
    const code = await codeOf(waitId);
    for (let asked = 0; asked < 5; asked += 1) await resend(waitId, `early${asked}`);
    factors.advance(minuteMs - 1);
    await resend(waitId, "still-early");
    factors.advance(1);
    const again = await Promise.all([resend(waitId, "in-time"), resend(waitId, "in-time")]);
    expect(again.map((view) => view?.resendAtMs)).toContain(factors.now() + minuteMs);
    expect(await codeOf(waitId)).toBe(code);
    expect(new Set(await sendings(waitId)).size).toBe(2);
  });

  it("to five in ten minutes for one contact, whichever handshakes and sockets ask", async () => {
    await started();
    const to = "+49305555555";
    const views: WaitView[] = [];
    for (let asked = 0; asked < 6; asked += 1) {
      views.push((await start({ to, socketId: `s${asked}` })).view);
      factors.advance(minuteMs);
    }
    expect(views.map(({ status }) => status)).toEqual([...Array(5).fill("queued"), "refused"]);
    expect(views.at(-1)?.resendAtMs).toBe(null);
    factors.advance(10 * minuteMs);
    expect((await start({ to })).view.status).toBe("queued");
  });

  it("by another handshake in the same minute neither, which is told when it may ask", async () => {
    await started();
    const to = "Grace@receiver.example";
    await start({ gate: "email", to });
    factors.advance(20_000);
    const { waitId, view } = await start({ gate: "email", to: to.toLowerCase() });
    expect(view).toMatchObject({ status: "refused", resendAtMs: factors.now() + 40_000 });
    expect(await compose(waitId)).toBe(null);
    factors.advance(40_000);
    expect(await resend(waitId, "r1")).toMatchObject({ status: "queued" });
    expect(await compose(waitId)).not.toBe(null);
  });

  it("to five in any ten minutes: no window ends early", async () => {
    await started();
    const to = "+49306666666";
    const sentAtMs: number[] = [];
    for (const minutes of [0, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) {
      factors.advance(minutes * minuteMs);
      if ((await start({ to })).view.status === "queued") sentAtMs.push(factors.now());
    }
    const [first = 0] = sentAtMs;
    // What was refused counts for nothing.
    expect(sentAtMs.map((each) => (each - first) / minuteMs)).toEqual([0, 6, 7, 8, 9, 10, 16]);
  });

  it("to twenty in a day for one contact", async () => {
    await started();
    let queued = 0;
    for (let asked = 0; asked < 30; asked += 1) {
      if ((await start({ gate: "email", to: "grace@receiver.example" })).view.status === "queued") queued += 1;
      factors.advance(10 * minuteMs);
    }
    expect(queued).toBe(20);
  });

  it("also where a request that was refused is repeated", async () => {
    await started();
    const limits = createSendLimits({
      state: factors.state,
      key: new Uint8Array(32),
      clock: factors.now,
      perSocketDay: { sms: 6, email: 1, call: 1 },
    });
    const refusal = async (to: string, holder: string, socketId = "s1") => {
      const permission = await limits.ask({ channel: "sms", to, socketId }, holder);
      return permission.ok ? null : permission.cause;
    };
    for (let asked = 0; asked < 5; asked += 1) {
      expect([await refusal("+1", `a${asked}`), await refusal("+1", `a${asked}`)]).toEqual([null, null]);
      factors.advance(minuteMs);
    }
    for (let asked = 0; asked < 3; asked += 1) expect(await refusal("+1", "b")).toBe("contact");
    expect(await refusal("+2", "c")).toBe(null);
    for (let asked = 0; asked < 3; asked += 1) expect(await refusal("+3", "d")).toBe("socket");
  });

  it("to what a socket may cost in a day, for each channel by itself", async () => {
    await started({ config: { smsPerSocketDay: 2 } });
    const statuses = async (options: Started) => (await start(options)).view.status;
    expect([await statuses({}), await statuses({}), await statuses({})]).toEqual(["queued", "queued", "refused"]);
    expect(await statuses({ gate: "email" })).toBe("queued");
    expect(await statuses({ socketId: "s2" })).toBe("queued");
    factors.advance(24 * 60 * minuteMs);
    expect(await statuses({})).toBe("queued");
  });

  it("to ranges of numbers whose codes come back: who only collects money for messages gets no more", async () => {
    await started();
    const number = (index: number) => `+88213${1_000_000 + index}`;
    for (let index = 0; index < 20; index += 1) expect((await start({ to: number(index) })).view.status).toBe("queued");
    expect((await start({ to: number(20) })).view.status).toBe("refused");
    expect((await start({ to: "+49301112223" })).view.status).toBe("queued");

    const honest = (index: number) => `+4915${10_000_000 + index}`;
    for (let index = 0; index < 30; index += 1) {
      const { waitId, view } = await start({ to: honest(index), enrolmentId: `h${index}` });
      expect(view.status, `${index}`).toBe("queued");
      if (index % 5 === 0) expect(await check(waitId, await codeOf(waitId))).toBe("ok");
    }
  });
});

describe("a range of numbers", () => {
  it("whose codes come back gets messages at any time of any day", async () => {
    await started();
    const honest = async (count: number) => {
      for (let index = 0; index < count; index += 1) {
        names += 1;
        const { waitId, view } = await start({ to: `+4917${10_000_000 + names}`, enrolmentId: `h${names}` });
        expect(view.status).toBe("queued");
        expect(await check(waitId, await codeOf(waitId))).toBe("ok");
      }
    };
    await start({ to: "+491710000000" });
    factors.advance(12 * 60 * minuteMs);
    await honest(1);
    factors.advance(12 * 60 * minuteMs + minuteMs);
    await honest(25);
    factors.advance(12 * 60 * minuteMs);
    await honest(1);
  });
});

describe("a repeated request", () => {
  it("begins one wait and sends one message", async () => {
    await started();
    const options = { waitId: "same", by: "link", to: "+49300000001" } as const;
    const views = await Promise.all([start(options), start(options), start(options)]);
    const after = await start(options);
    expect(new Set([...views, after].map(({ view }) => numberOf(view))).size).toBe(1);
    expect(await sendings("same")).toHaveLength(1);
  });

  it("sends what was counted and did not reach the queue, and nothing that was sent", async () => {
    await started();
    const options = { waitId: "again", to: "+49300000002" } as const;
    await start(options);
    const [sending = ""] = await sendings("again");
    await notify.caller.call(reportWait, { waitId: "again", sending, status: "sent" });
    await start(options);
    expect(await queued()).toEqual([]);
  });
});

describe("a message whose fate nobody could report", () => {
  it("does not go out again by another one that is asked for, too soon or in time", async () => {
    await started();
    const { waitId } = await start();
    const [first = ""] = await sendings(waitId);
    await resend(waitId, "early");
    factors.advance(minuteMs);
    await resend(waitId, "in-time");
    const later = await sendings(waitId);
    expect(later).toHaveLength(1);
    expect(later).not.toContain(first);
  });
});

describe("how a message fares", () => {
  it("is told to the waiting client, and what comes late about an older one is not", async () => {
    await started();
    const { waitId } = await start();
    const [first = ""] = await sendings(waitId);
    const report = (sending: string, status: "sent" | "delayed" | "failed") =>
      notify.caller.call(reportWait, { waitId, sending, status });
    await report(first, "delayed");
    expect((await read(waitId)).wait?.status).toBe("delayed");
    await report(first, "sent");
    await report(first, "delayed");
    expect((await read(waitId)).wait?.status).toBe("sent");
    expect(woken).toEqual([waitId, waitId]);
    // A provider took it, and could not deliver it.
    await report(first, "failed");
    await report(first, "sent");
    expect((await read(waitId)).wait?.status).toBe("failed");
    expect(woken).toHaveLength(3);
    await report("unknown", "failed");
    await notify.caller.call(reportWait, { waitId: "unknown", sending: first, status: "failed" });

    factors.advance(minuteMs);
    await resend(waitId, "r1");
    const [second = ""] = await sendings(waitId);
    expect(second).not.toBe(first);
    await report(first, "failed");
    expect((await read(waitId)).wait?.status).toBe("queued");
    await report(second, "delayed");
    await report(first, "delayed");
    expect((await read(waitId)).wait?.status).toBe("delayed");
    // The older one is done with: nothing sends it again.
    await resend(waitId, "start");
    expect(await queued()).toEqual([]);
    await report(second, "failed");
    expect((await read(waitId)).wait).toMatchObject({ status: "failed", resendAtMs: factors.now() + minuteMs });
  });
});

describe("a report", () => {
  it("that is repeated wakes once more: who took the first may have died before it told anybody", async () => {
    await started();
    const { waitId } = await start();
    const [sending = ""] = await sendings(waitId);
    const report = () => notify.caller.call(reportWait, { waitId, sending, status: "sent" });
    const { enqueue } = factors.jobs;
    factors.jobs.enqueue = () => Promise.reject(new Error("gone"));
    await expect(report()).rejects.toThrow();
    factors.jobs.enqueue = enqueue;
    expect(woken).toEqual([]);
    await report();
    expect(woken).toEqual([waitId]);
  });
});

describe("what is stored and sent around", () => {
  it("holds no contact, code, number or link in the clear", async () => {
    await started();
    const { waitId, view } = await start({ gate: "email", by: "link", to: "planted@receiver.example" });
    const { waitId: coded } = await start({ to: "+4930777888999" });
    const [token, code] = [await tokenOf(waitId), await codeOf(coded)];
    await confirm(token, numberOf(view) ?? "");
    await check(coded, code);
    const everything = [...factors.onBus.map((bytes) => Buffer.from(bytes).toString("latin1")), ...factors.logged].join(
      "\n",
    );
    for (const secret of ["planted@", "4930777888999", token, token.split(".")[1] ?? "", code])
      expect(everything).not.toContain(secret);
    const stored = await factors.state.get(`factors.wait.${coded}`);
    expect(Buffer.from(stored?.value ?? []).toString("latin1")).not.toContain("4930777888999");
  });
});

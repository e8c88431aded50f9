import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyFactors } from "@portcullis/contracts";
import { systemRandom } from "@portcullis/runtime";
import { afterEach, describe, expect, it } from "vitest";
import { authenticatorsCollection } from "../src/authenticators/record.ts";
import { subjectId } from "../src/authenticators/subject.ts";
import { anywhere, bob, type Factors, type FactorsOptions, freshHid, startFactors } from "./harness.ts";

const running: Factors[] = [];
afterEach(async () => {
  for (const factors of running.splice(0)) await factors.stop();
});
async function started(options?: FactorsOptions): Promise<Factors> {
  const factors = await startFactors(options);
  running.push(factors);
  return factors;
}

const ok = { ref: "r1", ok: true, cause: null };
const refused = (cause: string) => ({ ref: "r1", ok: false, cause });

describe("the otp gate", () => {
  it("accepts the code of the member's own authenticator, and of the socket's where the policy says so", async () => {
    const factors = await started();
    const own = await factors.enrol(bob());
    const shared = await factors.enrol({ of: "socket", socketId: "s1" });
    const [ownCode, sharedCode] = [await own.code(), await shared.code()];
    expect(await factors.verify({ memberId: "bob", of: "socket", value: ownCode })).toEqual(refused("wrong"));
    expect(await factors.verify({ memberId: "bob", of: "member", value: sharedCode })).toEqual(refused("wrong"));
    expect(await factors.verify({ memberId: "bob", socketId: "s2", value: ownCode })).toEqual(refused("unknown"));
    expect(await factors.verify({ memberId: "bob", value: ownCode })).toEqual(ok);
    expect(await factors.verify({ memberId: null, of: "socket", value: sharedCode })).toEqual(ok);
  });

  it("uses a code once, of fifty connections on two replicas that bring it at the same moment", async () => {
    const factors = await started();
    const app = await factors.enrol(bob());
    const value = await app.code();
    const results = await Promise.all(Array.from({ length: 50 }, () => factors.verify({ memberId: "bob", value })));
    expect(results.filter((result) => result?.ok)).toHaveLength(1);
    expect(new Set(results.map((result) => result?.cause))).toEqual(new Set([null, "used"]));
  });

  it("accepts a code again from the same handshake and answer, and from no other", async () => {
    const factors = await started();
    const app = await factors.enrol(bob());
    const [value, hid] = [await app.code(), freshHid()];
    const first = { memberId: "bob", value, hid };
    expect(await factors.verify(first)).toEqual(ok);
    expect(await factors.verify(first)).toEqual(ok);
    expect(await factors.verify({ ...first, ref: "r2" })).toEqual({ ...refused("used"), ref: "r2" });
    expect(await factors.verify({ ...first, hid: freshHid() })).toEqual(refused("used"));
  });

  it("lets one code satisfy one of two gates", async () => {
    const factors = await started();
    const value = await (await factors.enrol(bob())).code();
    const items = ["r1", "r2"].map((ref) => ({ ref, gate: "otp", config: { of: "member" }, value, waitId: null }));
    const request = { ...anywhere, hid: freshHid(), socketId: "s1", memberId: "bob", items };
    const { results } = await factors.identity.call(verifyFactors, request);
    expect(results).toEqual([ok, { ...refused("used"), ref: "r2" }]);
  });

  it("goes forward only: after a later step, an earlier one that is still in the window is refused", async () => {
    const factors = await started();
    const app = await factors.enrol(bob());
    const [earlier, now, later] = [await app.code(-1), await app.code(), await app.code(1)];
    expect(await factors.verify({ memberId: "bob", value: now })).toEqual(ok);
    expect(await factors.verify({ memberId: "bob", value: earlier })).toEqual(refused("used"));
    expect(await factors.verify({ memberId: "bob", value: later })).toEqual(ok);
  });

  it("refuses a used code for as long as it could match, also where the clock is set back by ten minutes", async () => {
    const factors = await started();
    const app = await factors.enrol(bob());
    const value = await app.code(1);
    expect(await factors.verify({ memberId: "bob", value })).toEqual(ok);
    factors.advance(59_000);
    expect(await factors.verify({ memberId: "bob", value })).toEqual(refused("used"));
    factors.advance(10 * 60_000);
    expect(await factors.verify({ memberId: "bob", value })).toEqual(refused("wrong"));
    factors.setBack(10 * 60_000);
    expect(await factors.verify({ memberId: "bob", value })).toEqual(refused("used"));
  });

  it("tells an unknown member from a wrong code by the cause alone: the same operations on the stores, in the same order", async () => {
    const factors = await started({ failuresMax: 5 });
    const app = await factors.enrol(bob());
    const dead = await factors.enrol({ of: "member", socketId: "s1", member: "dead" });
    for (let attempt = 0; attempt < 6; attempt += 1)
      await factors.verify({ memberId: "dead", value: await dead.wrong() });
    const value = await app.code();
    expect(await factors.verify({ memberId: "bob", value })).toEqual(ok);

    const traced = async (answer: Parameters<Factors["verify"]>[0]) => {
      factors.calls.length = 0;
      const result = await factors.verify(answer);
      return { cause: result?.cause, calls: [...factors.calls] };
    };
    const calls = ["state.create", "documents.get", "state.add", "state.advance", "state.add"];
    expect(await traced({ memberId: "bob", value: await app.wrong() })).toEqual({ cause: "wrong", calls });
    expect(await traced({ memberId: "eve", value })).toEqual({ cause: "unknown", calls });
    expect(await traced({ memberId: null, value })).toEqual({ cause: "unknown", calls });
    expect(await traced({ memberId: "bob", value: "no code" })).toEqual({ cause: "wrong", calls });
    expect(await traced({ memberId: "eve", value: "no code" })).toEqual({ cause: "unknown", calls });
    expect(await traced({ memberId: "bob", value })).toEqual({ cause: "used", calls });
    expect(await traced({ memberId: "dead", value: await dead.code() })).toEqual({ cause: "exhausted", calls });
    expect(await traced({ memberId: "bob", value, config: { of: "owner" } })).toEqual({ cause: "config", calls });
  });

  it("dies after as many wrong codes in a row as allowed, and lives again by a new enrolment only", async () => {
    const factors = await started({ failuresMax: 5 });
    const app = await factors.enrol(bob());
    const wrong = { memberId: "bob", value: await app.wrong() };
    for (let attempt = 0; attempt < 5; attempt += 1) expect(await factors.verify(wrong)).toEqual(refused("wrong"));
    expect(await factors.verify({ memberId: "bob", value: await app.code() })).toEqual(refused("exhausted"));
    factors.advance(30 * 86_400_000);
    expect(await factors.verify({ memberId: "bob", value: await app.code() })).toEqual(refused("exhausted"));
    const fresh = await factors.enrol(bob());
    expect(await factors.verify({ memberId: "bob", value: await fresh.code() })).toEqual(ok);
  });

  it("compares no more guesses than allowed, however many arrive at once", async () => {
    const factors = await started({ failuresMax: 5 });
    const app = await factors.enrol(bob());
    const [wrong, right] = [await app.wrong(), await app.code()];
    const guesses = [...Array.from({ length: 20 }, () => wrong), right];
    const results = await Promise.all(guesses.map((value) => factors.verify({ memberId: "bob", value })));
    expect(results.filter((result) => result?.cause === "wrong")).toHaveLength(5);
    expect(results.at(-1)).toEqual(refused("exhausted"));
  });

  it("forgives failures after a right code", async () => {
    const factors = await started({ failuresMax: 5 });
    const app = await factors.enrol(bob());
    for (let round = 0; round < 3; round += 1) {
      for (let attempt = 0; attempt < 4; attempt += 1)
        expect(await factors.verify({ memberId: "bob", value: await app.wrong() })).toEqual(refused("wrong"));
      expect(await factors.verify({ memberId: "bob", value: await app.code() })).toEqual(ok);
      factors.advance(30_000);
    }
  });

  it("gives no credit for guesses, however often one success is repeated at once", async () => {
    const factors = await started({ failuresMax: 5 });
    const app = await factors.enrol(bob());
    const repeated = { memberId: "bob", hid: freshHid(), value: await app.code() };
    for (let round = 0; round < 10; round += 1)
      await Promise.all(Array.from({ length: 5 }, () => factors.verify(repeated)));
    let guesses = 0;
    while ((await factors.verify({ memberId: "bob", value: await app.wrong() }))?.cause === "wrong") guesses += 1;
    expect(guesses).toBeLessThanOrEqual(5);
  });

  it("does not open a secret that was moved to another member, or to another enrolment of the same one", async () => {
    const factors = await started();
    const app = await factors.enrol(bob());
    const alice = { of: "member", socketId: "s1", member: "alice" } as const;
    const own = await factors.enrol(alice);
    const collection = await factors.documents.collection(authenticatorsCollection);
    const [from, to] = [await collection.get(subjectId(bob())), await collection.get(subjectId(alice))];
    if (from === null || to === null || from.body.active === null || to.body.active === null)
      throw new Error("not stored");

    await collection.replace(to.id, to.version, from.body);
    expect(await factors.verify({ memberId: "alice", value: await app.code() })).toEqual(refused("unreadable"));
    const renamed = { ...to.body, active: { ...to.body.active, id: "fresh-counters" } };
    await collection.replace(to.id, to.version + 1, renamed);
    expect(await factors.verify({ memberId: "alice", value: await own.code() })).toEqual(refused("unreadable"));
    expect(factors.logged.filter((line) => line.includes("does not open"))).toHaveLength(2);
  });

  it("refuses what it is asked about a gate that it does not have", async () => {
    const factors = await started();
    const items = [{ ref: "r1", gate: "fax", config: {}, value: "1", waitId: null }];
    const request = { ...anywhere, hid: freshHid(), socketId: "s1", memberId: null, items };
    expect((await factors.identity.call(verifyFactors, request)).results).toEqual([refused("gate")]);
  });

  it("knows used steps, failures and enrolments after a restart", async () => {
    const folder = await mkdtemp(join(tmpdir(), "factors-"));
    try {
      const options = { file: join(folder, "data.sqlite"), masterKey: systemRandom(32), failuresMax: 5 };
      const before = await startFactors(options);
      const app = await before.enrol(bob());
      const [value, next] = [await app.code(), await app.code(1)];
      expect(await before.verify({ memberId: "bob", value })).toEqual(ok);
      for (let attempt = 0; attempt < 3; attempt += 1)
        await before.verify({ memberId: "bob", value: await app.wrong() });
      await before.stop();

      const after = await started(options);
      expect(await after.verify({ memberId: "bob", value })).toEqual(refused("used"));
      expect(await after.verify({ memberId: "bob", value: await app.wrong() })).toEqual(refused("wrong"));
      expect(await after.verify({ memberId: "bob", value: next })).toEqual(refused("exhausted"));
      await running.pop()?.stop();
      const other = await started({ ...options, masterKey: systemRandom(32) });
      expect(await other.verify({ memberId: "bob", value: next })).toEqual(refused("unreadable"));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("leaves neither secret nor code in logs, on the bus, or readable in the store", async () => {
    const folder = await mkdtemp(join(tmpdir(), "factors-"));
    try {
      const factors = await started({ file: join(folder, "data.sqlite") });
      const app = await factors.enrol(bob());
      const value = await app.code();
      await factors.verify({ memberId: "bob", value });
      await factors.verify({ memberId: "eve", value });
      await factors.verify({ memberId: "bob", value, config: { of: value } });
      const raw = decodeBase32(app.secret);
      const needles = [app.secret, raw, raw.toString("hex"), raw.toString("base64url"), raw.toString("base64")];
      const stored = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))));
      const logs = Buffer.from(factors.logged.join(""));
      for (const needle of needles) {
        expect(stored.some((bytes) => bytes.includes(needle))).toBe(false);
        expect(logs.includes(needle)).toBe(false);
        expect(factors.onBus.some((bytes) => Buffer.from(bytes).includes(needle))).toBe(false);
      }
      expect(logs.includes(value)).toBe(false);
      // The search can find: the subject's id is stored as it is.
      expect(stored.some((bytes) => bytes.includes(subjectId(bob())))).toBe(true);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

function decodeBase32(text: string): Buffer {
  const bits = Array.from(text, (c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join(
    "",
  );
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

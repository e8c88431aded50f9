import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removalsKey, removalsTtlMs } from "@portcullis/contracts";
import { createRecordWriter, groupStepsOn, openGroupRecord } from "@portcullis/crypto";
import { parseGroupRecord } from "@portcullis/protocol";
import { createVault, fixedKeys, systemRandom } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { openEmbeddedState } from "@portcullis/state/embedded";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createGroups, type Epoch, type Groups } from "../src/groups/groups.ts";
import { sealForGroup } from "../src/messages/place.ts";

const socketId = "socket-1";
const vault = createVault(fixedKeys(systemRandom(32), "keys"));

/** A store in a file, which can be put back to what it was. */
function openStore() {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-test-"));
  const file = join(folder, "state.sqlite");
  const copy = join(folder, "copy.sqlite");
  let nowMs = 1_790_000_000_000;
  const clock = () => nowMs;
  let opened: State = openEmbeddedState({ file, clock });
  // What a replica holds is a connection, which outlives what happens to the store behind it.
  const state = new Proxy({} as State, {
    get: (_target, name: keyof State) => (opened[name] as (...given: unknown[]) => unknown).bind(opened),
  });
  const moved = async (from: string, to: string) => {
    await opened.close();
    for (const end of ["-wal", "-shm"]) rmSync(`${to}${end}`, { force: true });
    copyFileSync(from, to);
    opened = openEmbeddedState({ file, clock });
  };
  return {
    state,
    clock,
    advance: (ms: number) => {
      nowMs += ms;
    },
    snapshot: () => moved(file, copy),
    putBack: () => moved(copy, file),
    async close() {
      await opened.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Store = ReturnType<typeof openStore>;

/** One life of a replica: what it remembers dies with it. */
function startReplica({ state, clock }: Store) {
  const groups = createGroups({ state, vault, clock, random: systemRandom });
  const writer = createRecordWriter();
  return {
    groups,
    say: async (text: string) => sealForGroup(writer, await groups.toSeal(socketId), Buffer.from(text)),
  };
}

/** What somebody can do who was given this key and has recorded the network from the beginning: every step from there on. */
async function canOpen({ epoch, step, secret, signing }: Epoch, frame: Uint8Array): Promise<boolean> {
  const record = parseGroupRecord(frame);
  for (let on = 0; on <= 8; on += 1) {
    const there = await groupStepsOn(secret, on);
    const opened = await openGroupRecord({ socketId, secret: there, verifyKey: signing.publicKey, record }).catch(
      () => null,
    );
    if (opened !== null) {
      expect([record.epoch, record.step]).toEqual([epoch, step + on]);
      return true;
    }
  }
  return false;
}

let store: Store;
beforeEach(() => {
  store = openStore();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
});

const remove = () => store.state.add(removalsKey(socketId), 1, removalsTtlMs);

describe("the key of a group", () => {
  it("leaves closed to who comes what was said before, and opens to who was there all that is said behind", async () => {
    const [one, two] = [startReplica(store), startReplica(store)];
    const first = await one.groups.toEnter(socketId);
    const said = [await two.say("before")];
    const second = await two.groups.toEnter(socketId);
    said.push(await one.say("between"));
    const third = await one.groups.toEnter(socketId);
    said.push(await two.say("behind"));
    const opens = async (epoch: Epoch) => Promise.all(said.map((frame) => canOpen(epoch, frame)));
    expect(await opens(first)).toEqual([true, true, true]);
    expect(await opens(second)).toEqual([false, true, true]);
    expect(await opens(third)).toEqual([false, false, true]);
  });

  it("takes one step for all who come between two messages, on whichever replica, and none for who comes when nothing was said", async () => {
    const [one, two] = [startReplica(store), startReplica(store)];
    const enter = ({ groups }: { groups: Groups }) => groups.toEnter(socketId).then(({ step }) => step);
    expect(await Promise.all([one, two, one, two].map(enter))).toEqual([0, 0, 0, 0]);
    await one.say("something");
    expect(await Promise.all([one, two, one, two].map(enter))).toEqual([1, 1, 1, 1]);
    // A tick says nothing that a newcomer must not know.
    await sealForGroup(createRecordWriter(), await one.groups.current(socketId), Buffer.from("{}"));
    expect(await enter(two)).toBe(1);
  });

  it("is another one, and not a later step, when somebody was put out", async () => {
    const replica = startReplica(store);
    const eve = await replica.groups.toEnter(socketId);
    await replica.say("she hears");
    await remove();
    expect(await canOpen(eve, await replica.say("she does not"))).toBe(false);
    expect((await replica.groups.toEnter(socketId)).epoch).toBe(1);
  });

  it("is another one when an epoch has had all its steps", async () => {
    const replica = startReplica(store);
    await replica.groups.toEnter(socketId);
    await store.state.create(
      "keys:group:socket-1:0:step",
      Buffer.from(JSON.stringify({ step: 1024, isUsed: true })),
      60_000,
    );
    expect(await replica.groups.toEnter(socketId)).toMatchObject({ epoch: 1, step: 0 });
  });

  it("does not come back to who was put out when the store forgets that they were", async () => {
    const replica = startReplica(store);
    const eve = await replica.groups.toEnter(socketId);
    await replica.say("she hears");
    await store.snapshot();
    await remove();
    await replica.say("she is gone");
    await store.putBack();
    expect(await store.state.sum(removalsKey(socketId))).toBe(0);
    expect(await canOpen(eve, await replica.say("and stays gone"))).toBe(false);
    expect((await replica.groups.current(socketId)).epoch).toBeGreaterThan(1);
  });

  it("is another one for who comes when the store forgets that anything was said", async () => {
    for (const hears of ["who has sealed it", "who has only looked"]) {
      const own = openStore();
      const [one, two] = [startReplica(own), startReplica(own)];
      const stays = hears === "who has sealed it" ? one : two;
      await one.groups.toEnter(socketId);
      await own.snapshot();
      const before = await one.say("before");
      await stays.groups.current(socketId);
      await own.putBack();
      const late = await stays.groups.toEnter(socketId);
      expect(await canOpen(late, before), hears).toBe(false);
      expect(await canOpen(late, await stays.say("behind")), hears).toBe(true);
      await own.close();
    }
  });

  it("does not go back a step when the store does: who came meanwhile has that one", async () => {
    const replica = startReplica(store);
    await replica.groups.toEnter(socketId);
    await store.snapshot();
    await replica.say("said");
    const late = await replica.groups.toEnter(socketId);
    expect(late.step).toBe(1);
    await replica.say("heard by all");
    await store.putBack();
    const { epoch, step } = await replica.groups.toEnter(socketId);
    expect([epoch, step]).toEqual([1, 0]);
    expect(await canOpen(await replica.groups.current(socketId), await replica.say("goes on"))).toBe(true);
  });
});

type Deed = "say" | "say twice" | "enter" | "remove" | "crash" | "snapshot" | "put back" | "half a day";
const deeds: readonly Deed[] = [
  "say",
  "say",
  "say twice",
  "enter",
  "enter",
  "remove",
  "crash",
  "snapshot",
  "put back",
  "half a day",
];

describe("whatever happens to replicas and store", () => {
  it("no key seals two records under one nonce, newcomers open nothing from before, and who was put out nothing behind", {
    timeout: 120_000,
  }, async () => {
    const used = new Set<string>();
    const keys = new WeakMap<object, string>();
    const { importKey, encrypt } = crypto.subtle;
    vi.spyOn(crypto.subtle, "importKey").mockImplementation(async (...given: unknown[]) => {
      const key = await (importKey as (...all: unknown[]) => ReturnType<typeof importKey>).apply(crypto.subtle, given);
      if (given[2] === "AES-GCM") keys.set(key, Buffer.from(given[1] as Uint8Array).toString("hex"));
      return key;
    });
    vi.spyOn(crypto.subtle, "encrypt").mockImplementation((algorithm, key, data) => {
      const { iv } = algorithm as unknown as { iv: Uint8Array };
      const pair = `${keys.get(key)} ${Buffer.from(iv).toString("hex")}`;
      expect(keys.get(key)).toBeDefined();
      expect(used.has(pair), "a key and a nonce are used again").toBe(false);
      used.add(pair);
      return encrypt.call(crypto.subtle, algorithm, key, data);
    });

    const run = async (history: readonly { deed: Deed; on: 0 | 1 }[]) => {
      const own = openStore();
      const replicas = [startReplica(own), startReplica(own)];
      const frames: Uint8Array[] = [];
      let present: { epoch: Epoch; from: number }[] = [];
      const gone: { epoch: Epoch; until: number }[] = [];
      let isSaved = false;
      /** Only a replica that has seen how far it was can go on above it. */
      let seer: 0 | 1 | null = null;
      try {
        for (const { deed, on } of history) {
          const index: 0 | 1 = seer ?? on;
          const replica = replicas[index] ?? startReplica(own);
          if (deed === "say") frames.push(await replica.say("x"));
          if (deed === "say twice")
            // The same question, asked again at the other replica: what it seals anew is sealed under its own writer.
            frames.push(...(await Promise.all((seer === null ? replicas : [replica]).map(({ say }) => say("x")))));
          if (deed === "enter") present.push({ epoch: await replica.groups.toEnter(socketId), from: frames.length });
          if (deed === "remove") {
            gone.push(...present.splice(0, 1).map(({ epoch }) => ({ epoch, until: frames.length })));
            await own.state.add(removalsKey(socketId), 1, removalsTtlMs);
            await replica.groups.current(socketId);
          }
          if (deed === "crash" && index === on && seer === null) replicas[on] = startReplica(own);
          if (deed === "half a day") {
            own.advance(12 * 3_600_000);
            // Sessions end within a day.
            present = [];
          }
          if (deed === "snapshot") {
            await own.snapshot();
            isSaved = true;
          }
          if (deed === "put back" && isSaved) {
            await replica.groups.current(socketId);
            await own.putBack();
            seer = index;
          }
        }
        for (const { epoch, from } of present)
          for (const frame of frames.slice(0, from)) expect(await canOpen(epoch, frame), "from before").toBe(false);
        for (const { epoch, until } of gone)
          for (const frame of frames.slice(until)) expect(await canOpen(epoch, frame), "from behind").toBe(false);
      } finally {
        await own.close();
      }
    };
    const deed = fc.record({ deed: fc.constantFrom(...deeds), on: fc.constantFrom(0 as const, 1 as const) });
    await fc.assert(fc.asyncProperty(fc.array(deed, { minLength: 4, maxLength: 14 }), run), { numRuns: 25 });
    expect(used.size).toBeGreaterThan(25);
  });
});

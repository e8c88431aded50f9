import { dropDirectory, readDirectory, ServiceError } from "@portcullis/contracts";
import {
  generateEndToEndIdentity,
  type Identity,
  importEndToEndIdentity,
  prekeySuites,
  secureRandom,
  signIdentityStatement,
  signPrekeyStatement,
} from "@portcullis/crypto";
import { type ApplicationDown, encodeControl, encodeMessageUp, type Publish } from "@portcullis/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDirectory } from "../src/directory/directory.ts";
import { type DirectoryCollection, openDirectory } from "../src/directory/store.ts";
import { type Entered, enter, letIn } from "./support/session.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
let appKey: string;
beforeEach(async () => {
  world = await startWorld();
  ({ key: appKey } = await world.mint());
});
afterEach(() => world.close());

async function come(role: "member" | "consumer", endToEnd: "off" | "allowed" | "required" = "allowed") {
  const outcome = letIn(world);
  return enter(world, { appKey, outcome: { ...outcome, admitted: { ...outcome.admitted, role, endToEnd } } });
}
async function ask(
  who: Entered,
  control: Parameters<typeof encodeControl>[0],
): Promise<ApplicationDown | number | null> {
  const { frames, close } = await who.take(await who.seal(encodeControl(control)));
  const [frame] = frames;
  return frame === undefined ? close : who.open(frame);
}
const find = (who: Entered, name = "consumer") => ask(who, { t: "directory", ref: "r", name });
const publish = (who: Entered, said: Partial<Publish>) =>
  ask(who, { t: "publish", ref: "r", name: "consumer", ...said });
const failed = (code: string) => ({ t: "failed", ref: "r", code });
const done = { t: "done", ref: "r" };

const somebody = () => importEndToEndIdentity(generateEndToEndIdentity());
const whose = { socket: "demo", name: "consumer" };
const said = (identity: Identity, before: Identity | null = null, more: object = {}) =>
  signIdentityStatement({ ...whose, identity, before, atMs: world.now(), ...more });
const prekeyOf = async (identity: Identity, fromMs = world.now(), more: object = {}) =>
  signPrekeyStatement(identity, {
    ...whose,
    id: secureRandom(8),
    suites: await prekeySuites(secureRandom(32)),
    from: fromMs,
    until: fromMs + 172_800_000,
    ...more,
  });

describe("the directory", () => {
  it("has what a consumer has published, for everybody on the socket and on no other, on whichever replica", async () => {
    const program = await come("consumer");
    const bob = await come("member");
    expect(await find(bob)).toEqual(failed("not-found"));
    const one = await somebody();
    const [identity, prekey] = [await said(one), await prekeyOf(one)];
    expect(await publish(program, { identity, prekey })).toEqual(done);
    expect(await find(bob)).toEqual({ t: "entry", ref: "r", name: "consumer", history: [identity], prekey });
    expect(await find(bob, "else")).toEqual(failed("not-found"));
    const outcome = letIn(world, { socketId: "socket-2" });
    const { key } = await world.mint("socket-2");
    const admitted = { ...outcome.admitted, endToEnd: "allowed" as const };
    expect(await find(await enter(world, { appKey: key, outcome: { ...outcome, admitted } }))).toEqual(
      failed("not-found"),
    );
  });

  it("takes nothing from a member, who is out for it, and nothing where the policy has none", async () => {
    const bob = await come("member");
    expect(await publish(bob, { identity: await said(await somebody()) })).toBe(4501);
    const off = await come("consumer", "off");
    expect(await publish(off, { identity: await said(await somebody()) })).toEqual(failed("unsupported"));
    expect(await find(off)).toEqual(failed("unsupported"));
  });

  it("gives a name to another identity only where the one before has signed it", async () => {
    const program = await come("consumer");
    const [one, two, thief] = [await somebody(), await somebody(), await somebody()];
    await publish(program, { identity: await said(one), prekey: await prekeyOf(one) });
    const stolen = await said(thief, { ...thief, fingerprint: one.fingerprint });
    const bare = await said(thief);
    const other = await said(thief, two);
    for (const identity of [bare, stolen, other])
      expect(await publish(program, { identity })).toEqual(failed("conflict"));
    expect(await publish(program, { identity: await said(two, one) })).toEqual(done);
    // What the one before has signed is no prekey of this one.
    expect(await find(program)).not.toHaveProperty("prekey");
    expect(await publish(program, { prekey: await prekeyOf(one) })).toEqual(failed("conflict"));
    // Nor does it go round: clients would take none of it.
    expect(await publish(program, { identity: await said(one, two, { atMs: 1 }) })).toEqual(failed("conflict"));
    // The same once more, by another replica.
    expect(await publish(program, { identity: await said(two, one, { atMs: 1 }) })).toEqual(done);
  });

  it("takes no statement about another name, of another key, or from another time, and no prekey older than what it has", async () => {
    const program = await come("consumer");
    const [one, other] = [await somebody(), await somebody()];
    expect(await publish(program, { prekey: await prekeyOf(one) })).toEqual(failed("conflict"));
    expect(await publish(program, { identity: await said(one, null, { name: "else" }) })).toEqual(failed("conflict"));
    const identity = await said(one);
    expect(await publish(program, { identity: { ...identity, sig: (await said(other)).sig } })).toEqual(
      failed("conflict"),
    );
    const newest = await prekeyOf(one);
    expect(await publish(program, { identity, prekey: newest })).toEqual(done);
    const bad = [
      await prekeyOf(other),
      await prekeyOf(one, world.now(), { name: "else" }),
      await prekeyOf(one, world.now() + 3_600_000),
      await prekeyOf(one, world.now() - 200_000_000),
      await prekeyOf(one, world.now() - 1),
    ];
    for (const prekey of bad) expect(await publish(program, { prekey })).toEqual(failed("conflict"));
    expect(await publish(program, { identity, prekey: newest })).toEqual(done);
    expect(await find(program)).toMatchObject({ prekey: newest });
  });

  it("has 16 names on a socket, and 8 identities under each", async () => {
    const program = await come("consumer");
    for (let n = 0; n < 16; n += 1) {
      const name = `name-${n}`;
      expect(await publish(program, { name, identity: await said(await somebody(), null, { name }) })).toEqual(done);
    }
    const name = "one-more";
    const more = { name, identity: await said(await somebody(), null, { name }) };
    expect(await publish(program, more)).toEqual(failed("too-many"));
    expect(world.identity.recorded).toHaveLength(16);
    await world.asIdentity.call(dropDirectory, { socketId: "socket-1", name: "name-0" });
    expect(await publish(program, more)).toEqual(done);
    let before: Identity | null = null;
    await world.asIdentity.call(dropDirectory, { socketId: "socket-1", name });
    for (let n = 0; n < 10; n += 1) {
      const next = await somebody();
      expect(await publish(program, { name, identity: await said(next, before, { name }) })).toEqual(done);
      before = next;
    }
    const entry = await find(program, name);
    expect(entry).toMatchObject({ history: { length: 8 } });
    const { entries } = await world.asIdentity.call(readDirectory, { socketId: "socket-1" });
    expect(entries).toHaveLength(16);
    expect(entries.find((each) => each.name === name)).toMatchObject({
      fingerprint: before?.fingerprint,
      identities: 8,
    });
    expect(await world.asIdentity.call(dropDirectory, { socketId: "socket-1", name: null })).toEqual({ dropped: 16 });
    expect(await find(program, name)).toEqual(failed("not-found"));
  });

  it("has no more names either where many are begun at once, and tells its owner what there is, also where there is one more", async () => {
    const entries = await openDirectory(world.platform.documents);
    const all = 20;
    let counted = 0;
    const together = Promise.withResolvers<void>();
    // Each has found room before the first of them is written.
    const raced: DirectoryCollection = {
      ...entries,
      async count(filter) {
        const found = await entries.count(filter);
        counted += 1;
        if (counted === all) together.resolve();
        if (counted <= all) await together.promise;
        return found;
      },
    };
    const directory = createDirectory(raced, world.now);
    const begin = async (name: string) =>
      directory.publish(
        "socket-1",
        { name, identity: await said(await somebody(), null, { name }) },
        async () => undefined,
      );
    const answers = await Promise.all(Array.from({ length: all }, (_, n) => begin(`name-${n}`)));
    const begun = answers.filter((answer) => answer === null).length;
    expect(begun).toBeLessThanOrEqual(16);
    expect(answers).toContain("too-many");
    expect(await directory.all("socket-1")).toHaveLength(begun);
    for (let n = 0; n < 17; n += 1) {
      const name = `other-${n}`;
      const identity = await said(await somebody(), null, { name });
      const entry = {
        socketId: "socket-1",
        name,
        history: [identity],
        prekey: null,
        prekeyUntilMs: null,
        changedAtMs: 1,
      };
      await entries.insert(`socket-1:${name}`, entry);
    }
    expect((await world.asIdentity.call(readDirectory, { socketId: "socket-1" })).entries).toHaveLength(16);
  });

  it("is in the book first: which identity has a name by whose session, and what it follows; prekeys and what is refused are not", async () => {
    const program = await come("consumer");
    const [one, two] = [await somebody(), await somebody()];
    const by = { socketId: "socket-1", by: program.accepted.sid, name: "consumer" };
    const seen: unknown[] = [];
    world.identity.onRecord = async () => void seen.push(await find(bob));
    const bob = await come("member");
    const first = await said(one);
    await publish(program, { identity: first, prekey: await prekeyOf(one) });
    await publish(program, { identity: first, prekey: await prekeyOf(one, world.now() + 1) });
    await publish(program, { prekey: await prekeyOf(one, world.now() + 2) });
    await publish(program, { identity: await said(two) });
    await publish(program, { name: "else", prekey: await prekeyOf(one) });
    await publish(bob, { identity: await said(two, one) });
    await publish(program, { identity: await said(two, one) });
    expect(world.identity.recorded).toEqual([
      { ...by, fingerprint: one.fingerprint, before: null },
      { ...by, fingerprint: two.fingerprint, before: one.fingerprint },
    ]);
    // Nobody is told of it before.
    expect(seen).toMatchObject([failed("not-found"), { history: [first] }]);
  });

  it("has nothing that cannot be recorded, until it can", async () => {
    const program = await come("consumer");
    const one = await somebody();
    world.identity.onRecord = () => {
      throw new ServiceError("unavailable");
    };
    const whole = { identity: await said(one), prekey: await prekeyOf(one) };
    expect(await publish(program, whole)).toEqual(failed("unavailable"));
    expect(await find(program)).toEqual(failed("not-found"));
    world.identity.onRecord = () => {};
    expect(await publish(program, whole)).toEqual(done);
    expect(await find(program)).toMatchObject({ history: [whole.identity] });
  });

  it("that two begin at once under one name is one's", async () => {
    const programs = [await come("consumer"), await come("consumer"), await come("consumer")];
    const answers = await Promise.all(
      programs.map(async (program) => publish(program, { identity: await said(await somebody()) })),
    );
    expect(answers.filter((answer) => typeof answer === "object" && answer?.t === "done")).toHaveLength(1);
    expect(answers).toContainEqual(failed("conflict"));
  });

  it("has the newest of the prekeys that are published at once, whichever came last", async () => {
    const programs: Entered[] = [];
    while (programs.length < 4) programs.push(await come("consumer"));
    const one = await somebody();
    const identity = await said(one);
    for (const ages of [
      [0, 1, 2, 3],
      [7, 6, 5, 4],
    ]) {
      const prekeys = await Promise.all(ages.map((age) => prekeyOf(one, world.now() + age)));
      const newest = prekeys[ages.indexOf(Math.max(...ages))];
      const answers = await Promise.all(
        programs.map((program, index) => publish(program, { identity, prekey: prekeys[index] })),
      );
      expect(answers[ages.indexOf(Math.max(...ages))]).toEqual(done);
      for (const program of programs) expect(await find(program)).toMatchObject({ prekey: newest });
    }
  });
});

it("what a member says in the clear where it must not be is refused before it has a place", async () => {
  const bob = await come("member", "required");
  const clear = await bob.seal(encodeMessageUp({ counter: 0, body: Buffer.from("in the clear") }));
  expect(await bob.take(clear)).toMatchObject({ close: 4500, frames: [] });
  const program = await come("consumer", "required");
  const all = await program.seal(encodeMessageUp({ counter: 0, body: Buffer.from("for all") }));
  expect(await program.take(all)).toMatchObject({ close: null });
});

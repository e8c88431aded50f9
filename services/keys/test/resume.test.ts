import { killAppKey, liveSessionKey, sealFarewells } from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import { bodyOf, type Entered, enter, letIn, type Terms } from "./support/session.ts";
import { bareText, codeOf, denied, startWorld, textOf, type World } from "./support/world.ts";

let world: World;
let appKey: string;
let keyId: string;
beforeEach(async () => {
  world = await startWorld();
  ({
    key: appKey,
    appKey: { keyId },
  } = await world.mint());
});
afterEach(() => world.close());

const first = (outcome = letIn(world)) => enter(world, { appKey, outcome });
const secretOf = ({ sid, secrets }: Entered) => ({ sid, secret: secrets.resume.slice() });

/** With what the client has of the session; `identity` agrees. */
function again(from: { readonly sid: string; readonly secret: Uint8Array }, next = 0, terms: Terms = {}) {
  const { resumed } = { resumed: from };
  const outcome = letIn(world, terms);
  return enter(world, {
    appKey: null,
    resumed,
    payload: { resume: { next } },
    outcome: { ...outcome, admitted: { ...outcome.admitted, sid: from.sid, next } },
  });
}

describe("a session that goes on", () => {
  it("has new keys, a new secret, and its counters", async () => {
    const bob = await first();
    await bob.take(await bob.message(0, "one"), await bob.message(1, "two"));
    const back = await again(secretOf(bob), 1);
    expect(world.identity.opened.at(-1)).toMatchObject({ opened: true, key: null, resumed: { sid: bob.sid, next: 1 } });
    // Of the last one it is not certain that everybody has heard it.
    expect(back.accepted).toMatchObject({ sid: bob.sid, next: 1, place: 2 });
    expect(back.secrets).not.toEqual(bob.secrets);
    expect(await back.take(await back.message(1, "two"), await back.message(2, "three"))).toMatchObject({
      close: null,
    });
    // The connection before is nobody's any more.
    expect(await bob.take(await bob.message(3, "from where it was"))).toMatchObject({ close: 4001 });
  });

  it("goes on once more from either secret of the last time, and from none before that", async () => {
    const bob = await first();
    const lost = secretOf(bob);
    // The answer was never heard: the client tries with what it has.
    const unheard = await again(lost);
    const heard = await again(lost);
    expect(heard.accepted.sid).toBe(bob.sid);
    const next = await again(secretOf(heard));
    expect(next.accepted.sid).toBe(bob.sid);
    for (const old of [lost, secretOf(unheard)]) {
      const client = await world.client({ appKey: null, resumed: old });
      expect(textOf(await world.open(client.route, client.open))).toBe(bareText);
    }
  });

  it("does not where its app key was revoked, its secret is wrong, or there is none, and all look the same", async () => {
    const [bob, eve] = [
      await first(),
      await first({ ...letIn(world), admitted: { ...letIn(world).admitted, resumeMs: 0 } }),
    ];
    expect(eve.accepted).not.toHaveProperty("resumeMs");
    await world.asIdentity.call(killAppKey, { socketId: "socket-1", keyId });
    const wrong = { sid: eve.sid, secret: new Uint8Array(32).fill(3) };
    const nobody = { sid: "nobody", secret: new Uint8Array(32).fill(3) };
    for (const resumed of [secretOf(bob), secretOf(eve), wrong, nobody]) {
      const client = await world.client({ appKey: null, resumed });
      expect(textOf(await world.open(client.route, client.open))).toBe(bareText);
      expect(world.identity.opened.at(-1)).toMatchObject({ opened: false, resumed: null });
    }
  });

  it("hears what was said since it came first, and nothing from before", async () => {
    const terms = { history: { messages: 10, ms: 60_000 } };
    const eve = await first(letIn(world, terms));
    await eve.take(await eve.message(0, "among us"));
    const bob = await first(letIn(world, terms));
    await eve.take(await eve.message(1, "heard"), await eve.message(2, "missed"));
    const back = await again(secretOf(bob), 0, terms);
    for (const [after, texts] of [
      [2, ["missed"]],
      [0, ["heard", "missed"]],
    ] as const) {
      const { frames } = await back.take(await back.catchUp(after));
      expect((await Promise.all(frames.map(back.open))).slice(0, -1).map(bodyOf)).toEqual(texts);
    }
  });

  it("is denied under seal where `identity` says no", async () => {
    const bob = await first();
    world.identity.onOpen = () => denied;
    const client = await world.client({ appKey: null, resumed: secretOf(bob) });
    expect(await client.hear(await world.open(client.route, client.open))).toMatchObject({ t: "denied" });
    // Its secrets stand as they were.
    expect((await again(secretOf(bob))).accepted.sid).toBe(bob.sid);
  });

  it("is of one connection where two come at once, and the other may try again", async () => {
    const bob = await first();
    const secret = secretOf(bob);
    const outcome = letIn(world);
    world.identity.onOpen = () => ({ ...outcome, admitted: { ...outcome.admitted, sid: bob.sid } });
    const clients = [
      await world.client({ appKey: null, resumed: secret }),
      await world.client({ appKey: null, resumed: secret }),
    ];
    const opened = await Promise.allSettled(clients.map((client) => world.open(client.route, client.open)));
    expect(opened.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(1);
    for (const [index, each] of opened.entries()) {
      if (each.status === "rejected") expect(each.reason).toMatchObject({ code: "unavailable" });
      else expect(await clients[index]?.hear(each.value)).toMatchObject({ t: "accepted" });
    }
    expect((await again(secret)).accepted.sid).toBe(bob.sid);
  });

  it("is not taken back by one that was let in before another, and heard of it later", async () => {
    const bob = await first();
    const secret = secretOf(bob);
    const held = gate();
    const outcome = letIn(world);
    const same = { ...outcome, admitted: { ...outcome.admitted, sid: bob.sid } };
    const slow = await world.client({ appKey: null, resumed: secret });
    world.identity.onOpen = async () => {
      await held.wait();
      return same;
    };
    const opening = codeOf(world.open(slow.route, slow.open));
    await held.reached;
    const back = await again(secret);
    held.open();
    expect(await opening).toBe("unavailable");
    expect(await back.take(await back.message(0, "mine"))).toMatchObject({ close: null });
  });

  it("is not begun anew by its first accept, should that come a second time", async () => {
    const bob = await first();
    const back = await again(secretOf(bob));
    // The edge repeats its question, because an answer was lost.
    expect(await codeOf(world.open(bob.client.route, bob.client.open))).toBe("unavailable");
    expect(await back.take(await back.message(0, "mine"))).toMatchObject({ close: null });
  });

  it("leaves no secret behind when it ends, though its accept should come a second time", async () => {
    const bob = await first();
    const secrets = () => world.platform.state.get(`keys:session:${bob.sid}`);
    expect(await secrets()).not.toBe(null);
    await world.platform.state.delete(liveSessionKey(bob.sid));
    const { frames } = await world.asIdentity.call(sealFarewells, { sids: [bob.sid], what: "kicked" });
    expect(frames).toHaveLength(1);
    expect(await secrets()).toBe(null);
    await world.open(bob.client.route, bob.client.open);
    expect(await secrets()).toBe(null);
  });

  it("ends for `keys` when it ends for `identity`", async () => {
    const bob = await first();
    await world.platform.state.delete(liveSessionKey(bob.sid));
    expect(await bob.take(await bob.message(0, "x"))).toMatchObject({ close: 4001 });
  });
});

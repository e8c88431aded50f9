import {
  createMember,
  createSocket,
  deleteSocket,
  enrolAuthenticator,
  exchangePassphrase,
  identityOpen,
  identityStep,
  listLiveSessions,
  mintTicket,
  type Outcome,
  removeMember,
  type SessionRole,
  updateMember,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import { freshHid, type OpeningOptions, opening } from "./support/handshake.ts";
import { address, cheapPasswords, codeOf, firstPage, refusal, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
const path = "a-path-of-its-own";
const label = "one";
const passphrase = "a long passphrase";
const bare: Outcome = { say: "denied", retryAfterMs: null, sealed: false };
const denied: Outcome = { say: "denied", retryAfterMs: null, sealed: true };
/** How often a passphrase was compared with a hash, and how often with none. */
let compared: { real: number; dummy: number };

beforeEach(async () => {
  compared = { real: 0, dummy: 0 };
  const cheap = cheapPasswords();
  const passwords = {
    hash: cheap.hash,
    matches: (stored: string | null, given: string) => {
      compared[stored === null ? "dummy" : "real"] += 1;
      return cheap.matches(stored, given);
    },
  };
  world = await startWorld({ replicas: 2, passwords });
});
afterEach(() => world.close());

const required = { before: { ticket: "required" }, gates: [{ gate: "path" }] };

/** A socket with bob, who has a passphrase, and carol, who has none. */
async function socket(policy: Record<string, unknown> = required, named = label) {
  const { ownerId } = await world.owner();
  const { id } = await world.api.call(createSocket, { ownerId, label: named, path, idParameter: null, policy });
  const who = { ownerId, socketId: id };
  const contacts = { email: null, phone: null };
  await world.api.call(createMember, { ...who, name: "bob", contacts, passphrase });
  await world.api.call(createMember, { ...who, name: "carol", contacts, passphrase: null });
  return who;
}
async function mint(member: string | null = "bob", role: SessionRole = "member", of = mine): Promise<string> {
  return (await world.api.call(mintTicket, { ...of, member, role })).ticket;
}
const exchange = (given: { path?: string; label?: string; name?: string; passphrase?: string; from?: string } = {}) =>
  world.api.call(exchangePassphrase, {
    label: given.label ?? label,
    path: given.path ?? path,
    name: given.name ?? "bob",
    passphrase: given.passphrase ?? passphrase,
    address: given.from ?? address(),
    returnOrigin: null,
  });
const bob = (options: Partial<OpeningOptions> = {}) => opening({ label, path, query: "id=bob", ...options });
const open = (request = bob()) => world.keysCaller.call(identityOpen, request);
const sessions = async () => (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions;

describe("a ticket", () => {
  beforeEach(async () => {
    mine = await socket();
  });

  it("lets its member in, as the first gate passed, and shows that it is them", async () => {
    expect(await open(bob({ ticket: await mint() }))).toMatchObject({
      say: "accepted",
      admitted: { member: "bob", role: "member", memberProven: true },
      gates: ["ticket"],
      assurance: { key: false, memberBound: true, gates: ["ticket"] },
    });
  });

  it.each<[string, (ticket: string) => Promise<Partial<OpeningOptions>> | Partial<OpeningOptions>]>([
    ["none at all", () => ({ ticket: null })],
    ["one that never was", () => ({ ticket: `pt1.${"A".repeat(43)}` })],
    ["what is no ticket", () => ({ ticket: "pt1.x" })],
    ["another member's", async () => ({ ticket: await mint("carol") })],
    ["nobody's, in a member's name", async () => ({ ticket: await mint(null) })],
    ["a member's, in nobody's name", (ticket) => ({ ticket, query: "" })],
    ["another socket's", async () => ({ ticket: await mint("bob", "member", await socket(required, "two")) })],
  ])("%s gets the one bare refusal", async (_, how) => {
    const options = await how(await mint());
    expect(await open(bob(options))).toEqual(bare);
    expect(await sessions()).toEqual([]);
  });

  it("is good for a minute", async () => {
    const [early, late] = [await mint(), await mint()];
    world.advance(59_999);
    expect((await open(bob({ ticket: early }))).say).toBe("accepted");
    world.advance(1);
    expect(await open(bob({ ticket: late }))).toEqual(bare);
  });

  it("lets one in of two hundred that present it at once to two replicas", async () => {
    const ticket = await mint();
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => open(bob({ ticket }))));
    expect(outcomes.filter(({ say }) => say === "accepted")).toHaveLength(1);
    expect(outcomes.filter((outcome) => JSON.stringify(outcome) === JSON.stringify(bare))).toHaveLength(199);
    expect(await sessions()).toHaveLength(1);
  });

  it("says the same once more to the opening that used it, also when its minute is over, and to no other", async () => {
    const request = bob({ ticket: await mint() });
    world.advance(45_000);
    const first = await open(request);
    world.advance(29_000);
    expect(await open(request)).toEqual(first);
    expect(await open({ ...request, hid: freshHid() })).toEqual(bare);
    expect(await open({ ...request, opening: "another-frame-of-the-same-connection" })).toEqual(bare);
    // The handshake itself is forgotten some time; the ticket must be spent by then.
    world.advance(61_000);
    expect(await open(request)).toEqual(bare);
    expect(await sessions()).toHaveLength(1);
  });

  it("is used up where it was presented in vain", async () => {
    const ticket = await mint();
    expect(await open(bob({ ticket, query: "id=carol" }))).toEqual(bare);
    expect(await open(bob({ ticket }))).toEqual(bare);
  });

  it("is nobody's business where the box did not open", async () => {
    const ticket = await mint();
    expect(await open(bob({ ticket: null, opened: false }))).toEqual(bare);
    expect((await open(bob({ ticket }))).say).toBe("accepted");
  });

  it("is useless after its member was removed, changed or re-enrolled, or the socket deleted", async () => {
    const contacts = { email: null, phone: null };
    const change = { ...mine, name: "bob", version: 1, contacts: null, passphrase: "quite another one" };
    const [changed, again] = [await mint(), await mint()];
    await world.api.call(updateMember, change);
    expect(await open(bob({ ticket: changed }))).toEqual(bare);
    await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
    expect(await open(bob({ ticket: again }))).toEqual(bare);

    const removed = await mint("carol");
    await world.api.call(removeMember, { ...mine, name: "carol" });
    await world.api.call(createMember, { ...mine, name: "carol", contacts, passphrase: null });
    expect(await open(bob({ ticket: removed, query: "id=carol" }))).toEqual(bare);

    const [orphan, owners] = [await mint("carol"), await mint(null, "owner")];
    await world.api.call(deleteSocket, mine);
    expect(await open(bob({ ticket: orphan, query: "id=carol" }))).toEqual(bare);
    expect(await open(bob({ ticket: owners, query: "" }))).toEqual(bare);
  });

  it("lets nobody in whose member is removed while it is looked at", async () => {
    const ticket = await mint();
    const registered = gate();
    const take = world.after("state.join", () => registered.wait());
    const entering = open(bob({ ticket }));
    await registered.reached;
    take();
    await world.api.call(removeMember, { ...mine, name: "bob" });
    registered.open();
    expect(await entering).toEqual(denied);
    expect(await sessions()).toEqual([]);
  });

  it("is kept as a hash only", async () => {
    const seen: string[] = [];
    const stop = world.before("state.create", (_replica, ...input) => {
      seen.push(
        input.map((each) => (each instanceof Uint8Array ? Buffer.from(each).toString() : String(each))).join(" "),
      );
    });
    const ticket = await mint();
    await open(bob({ ticket }));
    stop();
    expect(seen.length).toBeGreaterThan(2);
    expect([...seen, ...world.logged].filter((line) => line.includes(ticket.slice(4)))).toEqual([]);
  });

  it("costs the store the same whether there is one or not", async () => {
    const count = async (request: ReturnType<typeof bob>) => {
      let steps = 0;
      const stops = ["get", "create", "take", "replace"].map((name) =>
        world.before(`state.${name}`, () => {
          steps += 1;
        }),
      );
      await open(request);
      for (const stop of stops) stop();
      return steps;
    };
    const wrong = await count(bob({ ticket: `pt1.${"B".repeat(43)}` }));
    const spent = await mint("carol");
    expect(await count(bob({ ticket: spent }))).toBe(wrong);
    expect(await count(bob({ ticket: await mint(null) }))).toBe(wrong);
    expect(await count(bob({ ticket: `pt1.${"C".repeat(43)}`, path: "another-path" }))).toBe(wrong);
  });
});

describe("a ticket as one way among others", () => {
  const policy = { gates: [{ anyOf: [{ gate: "ticket" }, { gate: "otp", of: "socket" }] }] };
  beforeEach(async () => {
    mine = await socket(policy);
    await world.api.call(enrolAuthenticator, { ...mine, memberName: null });
  });

  it("is enough, and where there is none the others are asked for", async () => {
    expect((await open(bob({ ticket: await mint() }))).say).toBe("accepted");
    for (const ticket of [null, `pt1.${"A".repeat(43)}`])
      expect(await open(bob({ ticket }))).toMatchObject({ say: "challenge", options: [{ at: "0.1", gate: "otp" }] });
  });

  it("does not do without the authenticator that its member has, and a comeback needs no other", async () => {
    await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
    const first = bob({ ticket: await mint() });
    const asked = await open(first);
    expect(asked).toMatchObject({ say: "challenge", options: [{ at: "enrolled.otp" }] });
    const cid = asked.say === "challenge" ? asked.cid : "";

    const back = bob({ hid: freshHid("edge-2"), parked: first.hid });
    expect(await open(back)).toMatchObject({ say: "challenge", cid });
    const action = { do: "answer" as const, cid, answer: { gate: "otp", value: "right", at: null } };
    const step = { handshake: first.hid, hid: back.hid, transcript: new Uint8Array(32), n: 1, keyLive: true, action };
    const accepted = await world.keysCaller.call(identityStep, step);
    expect(accepted).toMatchObject({ say: "accepted", gates: ["ticket", "otp"] });

    const sid = accepted.say === "accepted" ? accepted.admitted.sid : "";
    expect(await open(bob({ hid: freshHid("edge-2"), resumed: { sid, next: 0 } }))).toMatchObject({ say: "accepted" });
  });

  it("that was had for a passphrase ends with it, in mid-handshake and in mid-session", async () => {
    const within = bob({ ticket: (await exchange()).ticket });
    expect((await open(within)).say).toBe("accepted");
    const change = { ...mine, name: "bob", version: 1, contacts: null, passphrase: "quite another one" };
    await world.api.call(updateMember, change);
    expect(await sessions()).toEqual([]);

    await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
    const under = bob({ ticket: (await exchange({ passphrase: "quite another one" })).ticket });
    const asked = await open(under);
    const cid = asked.say === "challenge" ? asked.cid : "";
    await world.api.call(updateMember, { ...change, version: 3, passphrase: "" });
    const action = { do: "answer" as const, cid, answer: { gate: "otp", value: "right", at: null } };
    const step = { handshake: under.hid, hid: under.hid, transcript: new Uint8Array(32), n: 1, keyLive: true, action };
    expect(await world.keysCaller.call(identityStep, step)).toEqual(denied);
  });
});

describe("the owner's own ticket", () => {
  const policy = {
    before: { ticket: "required" },
    gates: [{ gate: "key" }, { gate: "otp" }, { gate: "email" }],
  };
  beforeEach(async () => {
    mine = await socket(policy);
  });

  it.each<SessionRole>(["owner", "consumer"])("needs no key, no member and no other gate: %s", async (role) => {
    expect(await open(bob({ query: "room=2", ticket: await mint(null, role) }))).toMatchObject({
      say: "accepted",
      admitted: { member: null, role, memberProven: false },
      gates: ["ticket"],
      assurance: { key: false, memberBound: false, gates: [] },
    });
    expect(await sessions()).toMatchObject([{ role, member: null, context: { rest: "", query: "room=2" } }]);
  });

  it("is for whoever names nobody, on that socket, once", async () => {
    const ticket = await mint(null, "owner");
    expect(await open(bob({ ticket }))).toEqual(bare);
    expect(await open(bob({ ticket, query: "" }))).toEqual(bare);
    const elsewhere = await socket(policy, "two");
    expect(await open(bob({ query: "", ticket: await mint(null, "owner", elsewhere) }))).toEqual(bare);
    expect(await open(bob({ query: "id=nobody", ticket: await mint(null, "owner") }))).toEqual(bare);
  });

  it("opens nothing for a member: with theirs the key is asked for as before", async () => {
    expect(await open(bob({ ticket: await mint() }))).toEqual(bare);
    expect(await open(bob({ ticket: null }))).toEqual(bare);
    const key = { keyId: "key-1", socketId: mine.socketId, role: "member" as const };
    expect(await open(bob({ key, ticket: await mint() }))).toEqual(denied);
  });

  it("goes on over another connection, as what it was", async () => {
    const outcome = await open(bob({ query: "", ticket: await mint(null, "consumer") }));
    const sid = outcome.say === "accepted" ? outcome.admitted.sid : "";
    const again = bob({ query: "", hid: freshHid("edge-2"), resumed: { sid, next: 3 } });
    expect(await open(again)).toMatchObject({ say: "accepted", admitted: { sid, role: "consumer", next: 3 } });
  });

  it("names no member, and is the socket's owner's alone", async () => {
    expect(await refusal(mint("bob", "owner"))).toMatchObject({ code: "invalid", issues: [{ path: "member" }] });
    const { ownerId } = await world.owner();
    expect(await codeOf(mint(null, "owner", { ...mine, ownerId }))).toBe("not_found");
    expect(await codeOf(mint("eve"))).toBe("not_found");
  });
});

describe("a member's passphrase", () => {
  beforeEach(async () => {
    mine = await socket();
  });

  it("gets a ticket that lets in", async () => {
    const { ticket, expiresAtMs, idParameter } = await exchange();
    expect({ expiresAtMs, idParameter }).toEqual({ expiresAtMs: world.now() + 60_000, idParameter: "id" });
    expect((await open(bob({ ticket }))).say).toBe("accepted");
  });

  it.each([
    ["a wrong passphrase", { passphrase: "another passphrase" }],
    ["an unknown member", { name: "eve" }],
    ["a member without one", { name: "carol" }],
    ["an unknown path", { path: "another-path" }],
    ["an unknown label", { label: "another" }],
  ])("%s is refused like all the others, after one slow hash", async (_, given) => {
    const { real, dummy } = compared;
    expect(await refusal(exchange(given))).toEqual({ code: "unauthenticated", issues: [] });
    expect(compared.real + compared.dummy).toBe(real + dummy + 1);
  });

  it("of a member who is removed, or of a socket that is deleted, is no way in", async () => {
    await world.api.call(removeMember, { ...mine, name: "bob" });
    compared = { real: 0, dummy: 0 };
    expect(await codeOf(exchange())).toBe("unauthenticated");
    await world.api.call(deleteSocket, mine);
    expect(await codeOf(exchange())).toBe("unauthenticated");
    expect(compared).toEqual({ real: 0, dummy: 2 });
  });

  it("may be tried five times from a network, and its member is not locked out elsewhere", async () => {
    const from = address();
    for (let tries = 0; tries < 5; tries += 1)
      expect(await codeOf(exchange({ from, passphrase: `wrong guess ${tries}` }))).toBe("unauthenticated");
    expect(await codeOf(exchange({ from }))).toBe("too_many");
    expect(await codeOf(exchange())).toBe(null);
  });

  it("may be tried fifty times in an hour from everywhere; then where its member came in before, and later again", async () => {
    const home = address();
    expect(await codeOf(exchange({ from: home }))).toBe(null);
    for (let tries = 0; tries < 50; tries += 1) await codeOf(exchange({ passphrase: `wrong guess ${tries}` }));
    expect(await codeOf(exchange())).toBe("too_many");
    expect(await codeOf(exchange({ from: home }))).toBe(null);
    world.advance(3_600_001);
    expect(await codeOf(exchange())).toBe(null);
  });

  it("is not used up by who does not know the path", async () => {
    for (let tries = 0; tries < 60; tries += 1) await codeOf(exchange({ path: "another-path" }));
    expect(await codeOf(exchange())).toBe(null);
  });

  it("is refused after as many tries below a path whether or not a socket is there: how they are counted tells nothing", async () => {
    const codesBelow = async (where: string, home: boolean) => {
      const from = address();
      const codes: (string | null)[] = [];
      for (let tries = 0; tries < 60; tries += 1) {
        const given = { path: `${where}/${tries}`, passphrase: `wrong guess ${tries}` };
        codes.push(await codeOf(exchange(home ? { ...given, from } : given)));
      }
      return codes;
    };
    for (const home of [true, false])
      expect(await codesBelow(path, home), `${home}`).toEqual(await codesBelow("nothing-is-here", home));
  });

  it("says whether the policy names the page that is to be gone on to", async () => {
    mine = await socket({ ...required, origins: ["https://app.example"] }, "two");
    const given = { label: "two", path, name: "bob", passphrase, address: address() };
    const asked = async (returnOrigin: string | null) =>
      (await world.api.call(exchangePassphrase, { ...given, returnOrigin })).mayReturn;
    expect(await asked("https://app.example")).toBe(true);
    expect(await asked("https://app.example.evil")).toBe(false);
    expect(await asked(null)).toBe(false);
  });
});

describe("what is behind the socket's own path, and what is stated", () => {
  it("reaches the session: the rest, the whole query, and the parameters of box and offers", async () => {
    mine = await socket({ gates: [{ gate: "otp", of: "socket" }], mode: "offered" });
    await world.api.call(enrolAuthenticator, { ...mine, memberName: null });
    const query = "id=bob&room=2&x=%20";
    const request = bob({ path: `${path}/fancy_app_path//a`, query, parameters: { one: "1", two: "2" } });
    await open(request);
    const offer = { do: "offer" as const, answers: [{ gate: "otp", value: "wrong", at: null }] };
    const step = { handshake: request.hid, hid: request.hid, transcript: new Uint8Array(32), keyLive: true };
    const take = (n: number, action: typeof offer & { parameters: Record<string, string> }) =>
      world.keysCaller.call(identityStep, { ...step, n, action });
    await take(1, { ...offer, parameters: { two: "twice", three: "3" } });
    // Too much at once adds nothing.
    await take(2, { ...offer, parameters: Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`n${n}`, "x"])) });
    const right = [{ gate: "otp", value: "right", at: null }];
    await take(3, { do: "offer", answers: right, parameters: { four: "4" } });
    expect(await sessions()).toMatchObject([
      {
        context: { rest: "fancy_app_path//a", query },
        parameters: { one: "1", two: "twice", three: "3", four: "4" },
      },
    ]);
  });

  it("finds the socket only at a slash, and the page for passphrases likewise", async () => {
    mine = await socket({ gates: [{ gate: "path" }], onFailure: { free: 100 } });
    for (const other of [`${path}x`, `${path}%2Fx`, `x/${path}`, "", "/", path.slice(0, -1)])
      expect(await open(bob({ path: other })), other).toEqual(bare);
    expect((await open(bob({ path: `${path}/` }))).say).toBe("accepted");
    expect(await codeOf(exchange({ path: `${path}/a/b/c` }))).toBe(null);
    expect(await codeOf(exchange({ path: `${path}x` }))).toBe("unauthenticated");
  });

  it("costs as many look-ups as the text has parts, eight at most, whatever there is", async () => {
    mine = await socket({ gates: [{ gate: "path" }] });
    const count = async (asked: string) => {
      let steps = 0;
      const stop = world.before("identity_sockets.findOne", () => {
        steps += 1;
      });
      await open(bob({ path: asked }));
      stop();
      return steps;
    };
    expect(await count(path)).toBe(await count("another-path"));
    expect(await count(`${path}/a/b`)).toBe(await count("another-path/a/b"));
    expect(await count(`${path}${"/a".repeat(900)}`)).toBe(8);
  });
});

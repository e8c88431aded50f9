import { type ConsumerSession, connectConsumer } from "@portcullis/client";
import { parseAppKey } from "@portcullis/crypto";
import { encodeMessageUp, utf8 } from "@portcullis/protocol";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { makeKey, makeSocket, type OwnedSocket, plantKey } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Insider, insider } from "./support/insider.ts";
import { message } from "./support/knock.ts";

vi.setConfig({ testTimeout: 20_000 });

let world: World;
beforeAll(async () => {
  // No tick falls in between, which comes by the clock and not by what anybody does.
  world = await startWorld({ env: { TICK_INTERVAL: "10m" } });
});
afterAll(() => world.close());

/** By the key alone, from here: what is compared is what comes behind it. */
const policy = {
  gates: [{ gate: "key" }, { when: { network: ["192.0.2.0/24"] }, then: [{ gate: "otp" }] }],
  anonymous: true,
  onFailure: { then: "decoy" },
  messaging: { maxBytes: 1_000, perSecond: 20 },
};
const forms: [string, object][] = [
  ["a sealed socket", { encryption: { session: "required" } }],
  ["an unsealed socket", {}],
  [
    "a sealed socket with history",
    { encryption: { session: "required" }, messaging: { ...policy.messaging, history: { messages: 5 } } },
  ],
  [
    "a sealed socket of the owner's program",
    { encryption: { session: "required" }, messaging: { ...policy.messaging, mode: "consumer" } },
  ],
  ["an unsealed socket of the owner's program", { messaging: { ...policy.messaging, mode: "consumer" } }],
];

type Deed = (who: Insider) => Promise<void>;
const somebody = "A".repeat(22);
/** In the form of that socket. */
const said = (who: Insider, bytes: Uint8Array) => (who.accepted.sealed ? who.up(bytes) : Promise.resolve(bytes));
const control =
  (text: string): Deed =>
  async (who) =>
    who.send(await who.up(text));
const asJson = (value: object) => control(JSON.stringify(value));
const messageOf = (counter: number, body: string, head = {}) => encodeMessageUp({ counter, body: utf8(body), head });

const deeds: Readonly<Record<string, Deed>> = {
  "who does nothing": async () => undefined,
  "who speaks": async (who) => who.send(await said(who, message(0, "hello"))),
  "who says the longest that may be said": async (who) => who.send(await said(who, message(0, "x".repeat(1_000)))),
  "who says more than may be said": async (who) => who.send(await said(who, message(0, "x".repeat(1_001)))),
  "who says nothing": async (who) => who.send(await said(who, message(0, ""))),
  "who says the same twice": async (who) => {
    for (const counter of [0, 0]) who.send(await said(who, message(counter, "again")));
  },
  "who leaves one out": async (who) => who.send(await said(who, message(3, "later"))),
  "who speaks faster than may be spoken": async (who) => {
    for (let n = 0; n < 200; n += 1) who.send(await said(who, message(n, "flood")));
  },
  "who speaks in the other form": async (who) =>
    who.send(who.accepted.sealed ? message(0, "open") : await who.up(message(0, "sealed"))),
  "who names somebody": async (who) => who.send(await said(who, messageOf(0, "to you", { to: somebody }))),
  "who says that it is of a class": async (who) => who.send(await said(who, messageOf(0, "pay", { class: "payment" }))),
  "who asks about somebody": asJson({ t: "who", ref: "r", sid: somebody }),
  "who puts somebody out": asJson({ t: "kick", ref: "r", sid: somebody }),
  "who has somebody asked again": asJson({ t: "step-up", ref: "r", sid: somebody }),
  "who answers what nobody asked": asJson({ t: "answer", cid: "c", gate: "otp", value: "000000" }),
  "who asks for a message nobody sends": asJson({ t: "resend", cid: "c" }),
  "who asks for what is far ahead": asJson({ t: "catch-up", after: 1_000_000 }),
  "who asks for what is no place": asJson({ t: "catch-up", after: -1 }),
  "who says what nobody says": asJson({ t: "open-sesame" }),
  "who says what the server says": asJson({ t: "tick", place: 9 }),
  "whose control is no JSON": control("{"),
  "whose control is nothing": control(""),
  "whose control is long": control("x".repeat(5_000)),
  "who repeats a record": async (who) => {
    const once = await who.up(JSON.stringify({ t: "catch-up", after: 0 }));
    who.send(once);
    who.send(once);
  },
  "who sends a record that does not open": async (who) => who.send((await who.up("x")).fill(7, 40)),
  "who forges what is said to all": async (who) => who.send(Buffer.concat([Uint8Array.of(0x30), Buffer.alloc(388)])),
  "who forges what is said to them": async (who) => who.send(Buffer.concat([Uint8Array.of(0x21), Buffer.alloc(300)])),
  "who goes on with the handshake": async (who) => who.send(await who.seal({ n: 2, t: "resend", cid: "c" })),
  "who opens once more": async (who) => who.send(who.openFrame),
  "who sends text": async (who) => who.send("hello"),
  "who sends nothing at all": async (who) => who.send(new Uint8Array()),
  "who sends what is of no kind": async (who) => who.send(Uint8Array.of(0x99, 1, 2, 3)),
};

/** Names and kinds of all fields, and how long what is opaque is. */
function shapeOf(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (name, part: unknown) => {
      if (name === "gates" || name === "policyHash" || name === "limits") return part;
      if (typeof part === "string") return `text of ${part.length}`;
      return typeof part === "number" ? "number" : part;
    }),
  );
}

/** Somebody for whom nobody else is there: what comes is the answer to what they did. */
async function reactionTo(deed: Deed, url: string, appKey: string) {
  const who = await insider(url, { appKey });
  await deed(who);
  const { shapes, close } = await who.reaction();
  const { heard, accepted } = who;
  const verdict = { accepted: shapeOf(accepted), bytes: heard[1]?.length, hello: heard[0]?.length };
  who.leave();
  // How much is answered before the end is a matter of time.
  return close === null ? { ...verdict, shapes, close } : { ...verdict, close };
}

const full = process.env.PORTCULLIS_FULL === "1";
/** Each of another kind; with `test:full` all of them, on all forms. */
const few = ["who does nothing", "who speaks", "who asks about somebody", "who says the same twice", "who sends text"];
const chosen = Object.entries(deeds).filter(([name]) => full || few.includes(name));

describe.each(full ? forms : forms.slice(0, 1))(
  "on %s nobody sees by what comes whether it is the decoy",
  (_, form) => {
    let socket: OwnedSocket;
    let planted: string;
    /** In a decoy there always seems to be one. */
    let program: ConsumerSession;
    beforeAll(async () => {
      socket = await makeSocket(world.owner, { ...policy, ...form });
      planted = (await plantKey(world.owner, socket.id)).appKey;
      // Otherwise a decoy, after some seconds, repeats what the deeds before this one looked like: nobody there did anything for that.
      const lines = [{ after: "60m", from: null, text: "later" }];
      await world.owner.put(`/v1/sockets/${socket.id}/decoy`, { lines, repeat: false });
      const { appKey } = await makeKey(world.owner, socket.id, "consumer");
      program = await connectConsumer(socket.url, { appKey });
    });
    afterAll(() => program.close());

    test.each(chosen)("%s", async (_name, deed) => {
      const [genuine, played] = await Promise.all(
        [socket.appKey, planted].map((appKey) => reactionTo(deed, socket.url, appKey)),
      );
      expect(played).toEqual(genuine);
    });

    test("who is put out", async () => {
      const last = async (appKey: string, putOut: (sid: string) => Promise<unknown>) => {
        const who = await insider(socket.url, { appKey });
        const before = who.heard.length;
        await putOut(who.accepted.sid);
        const close = await who.closed;
        return { close, told: (await who.told()).filter((text) => text !== ""), frames: who.heard.length - before };
      };
      const { id } = socket;
      const genuine = await last(socket.appKey, (sid) => world.owner.delete(`/v1/sockets/${id}/sessions/${sid}`));
      const played = await last(planted, async () => {
        const { decoys } = await world.owner.get<{ decoys: { room: string }[] }>(`/v1/sockets/${id}/decoys`);
        await world.owner.delete(`/v1/sockets/${id}/decoys/${decoys[0]?.room}`);
      });
      expect(played).toEqual(genuine);
      expect(genuine.told.join()).toContain("kicked");
    });

    test("and one of the two always was", async () => {
      const { decoys } = await world.owner.get<{ decoys: { keyId: string }[] }>(`/v1/sockets/${socket.id}/decoys`);
      expect(decoys).toMatchObject([{ keyId: parseAppKey(planted).keyId }]);
    });
  },
);

import { wordsProof } from "@portcullis/crypto";
import type { Challenge } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import { createDialogue, type Place } from "../src/dialogue.ts";
import { identOf, notRecognised, withPin } from "../src/mod.ts";
import { type ConnectOptions, readOptions } from "../src/options.ts";

const words = "legal winner thank year wave sausage";
const older = "letter advice cage absurd amount doctor";
const server = {
  fingerprint: "f".repeat(22),
  pinned: true,
  edge: "e",
  successorOf: null,
  words,
  allWords: [words, older],
  randomart: ["."],
};
const th = (connection: number) => new Uint8Array(32).fill(connection);
const place = (connection = 1): Place => ({ server, th: th(connection), isFirst: true });
const cat = "/\\_/\\\n o.o ".trimEnd();

function challenge(prompt: Record<string, unknown>): Challenge {
  const options = [{ at: "2", gate: "ident", prompt }];
  return { n: 1, t: "challenge", cid: "c1", options, attemptsLeft: 3, answerMs: 30_000, retry: false };
}
function ask(prompt: Record<string, unknown>, options: ConnectOptions) {
  const dialogue = createDialogue(readOptions("ws://localhost/demo/path", { unpinned: "allow", ...options }));
  dialogue.challenge(challenge(prompt), place());
  return dialogue;
}

describe("what a person recognises the server by", () => {
  it("is shown, sign, words and picture, also where nothing is asked, and then answered for them", async () => {
    const shown: unknown[] = [];
    const dialogue = ask({ ask: "none", sign: cat }, { onIdent: (each) => void shown.push(each) });
    expect(shown).toEqual([{ ask: "none", sign: cat, signs: [], server }]);
    expect(await dialogue.next()).toMatchObject({ kind: "answered", reply: { gate: "ident", at: "2", value: "seen" } });
  });

  it("is agreed to by nobody but the person", async () => {
    const dialogue = ask({ ask: "agree" }, { answers: { ident: () => "agree" } });
    expect(await dialogue.next()).toMatchObject({ reply: { value: "agree" } });
    const unasked = ask({ ask: "agree" }, {});
    expect(await unasked.next()).toMatchObject({ kind: "given-up", error: { code: "unsupported" } });
  });

  it.each([
    ["a terminal's command", { ask: "agree", sign: "\u001b]0;owned\u0007cats" }],
    ["one in one character", { ask: "agree", sign: "\u009b2Jcats" }],
    ["a look-alike", { ask: "agree", sign: "c\u0430ts cats" }],
    ["one among several", { ask: "pick", signs: [cat, "\u001b[2Jcats", cat] }],
    ["no text", { ask: "agree", sign: 4 }],
  ])("is not shown, whoever sent it, with %s in it", (_what, prompt) => {
    const shown: unknown[] = [];
    expect(() => ask(prompt, { onIdent: (each) => void shown.push(each), answers: { ident: () => "agree" } })).toThrow(
      "not valid",
    );
    expect(shown).toEqual([]);
  });

  it("is not guessed at where it is of another version", () => {
    expect(() => identOf({ ask: "sing" })).toThrow("not supported");
    expect(() => identOf({ ask: "pick", signs: "all" })).toThrow("not supported");
    expect(() => identOf({})).toThrow("not supported");
  });
});

describe("words that a person types", () => {
  const type = (...typed: (string | null | typeof notRecognised)[]) => {
    const asked: boolean[] = [];
    const dialogue = ask(
      { ask: "type" },
      {
        answers: {
          ident: ({ retry }) => {
            asked.push(retry);
            return typed[asked.length - 1] ?? null;
          },
        },
      },
    );
    return { dialogue, asked };
  };
  const proofOn = async (wish: Awaited<ReturnType<ReturnType<typeof createDialogue>["next"]>>, connection: number) =>
    wish.kind === "answered" ? wish.reply.prove?.({ th: th(connection), cid: wish.cid }) : null;

  it("go out as a proof for the connection on which they are said, and for another one anew", async () => {
    const wish = await type(`  ${words.toUpperCase().replaceAll(" ", "  ")} `).dialogue.next();
    expect(await proofOn(wish, 1)).toBe(await wordsProof({ th: th(1), cid: "c1", words }));
    expect(await proofOn(wish, 2)).toBe(await wordsProof({ th: th(2), cid: "c1", words }));
  });

  it("may be those of a key before, which led here", async () => {
    const wish = await type(older).dialogue.next();
    expect(await proofOn(wish, 1)).toBe(await wordsProof({ th: th(1), cid: "c1", words: older }));
  });

  it("that are mistyped are asked for once more, and nothing is sent", async () => {
    const { dialogue, asked } = type("legal winner thank year wave sossage", words);
    expect(await dialogue.next()).toMatchObject({ kind: "answered" });
    expect(asked).toEqual([false, true]);
  });

  it("of another server are never sent: after three times it is said that this is not the one", async () => {
    const { dialogue, asked } = type(...Array.from({ length: 9 }, () => "abandon ".repeat(6)));
    expect(await dialogue.next()).toMatchObject({ kind: "given-up", error: { code: "not-recognised" } });
    expect(asked).toHaveLength(3);
  });

  it("need not be typed by who does not recognise the server, or gives up", async () => {
    expect(await type(notRecognised).dialogue.next()).toMatchObject({ error: { code: "not-recognised" } });
    expect(await type(null).dialogue.next()).toMatchObject({ error: { code: "cancelled" } });
  });
});

describe("a report", () => {
  it("may come from whoever is asked about everything", async () => {
    const dialogue = ask({ ask: "agree" }, { onChallenge: () => notRecognised });
    expect(await dialogue.next()).toMatchObject({
      kind: "given-up",
      error: { code: "not-recognised", retryable: false },
    });
  });
});

describe("an app key with another pin", () => {
  const key = `pc1.${"k".repeat(16)}.${"s".repeat(42)}A.${"f".repeat(21)}A`;

  it("is the same key", () => {
    expect(withPin(key, `${"g".repeat(21)}A`)).toBe(`pc1.${"k".repeat(16)}.${"s".repeat(42)}A.${"g".repeat(21)}A`);
  });

  it.each([
    ["nonsense", `${"g".repeat(21)}A`],
    [key, "short"],
    [key, `${"g".repeat(21)}A.x`],
  ])("is none for %s with %s", (appKey, pin) => {
    expect(() => withPin(appKey, pin)).toThrow("not valid");
  });
});

import { formatAnswerSecret } from "@portcullis/crypto";
import type { Challenge, Wait } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import { createDialogue, type Place } from "../src/dialogue.ts";
import { type ConnectOptions, readOptions } from "../src/options.ts";
import type { Question } from "../src/question.ts";
import type { Waiting } from "../src/waiting.ts";

const words = "the six words of the server";
const server = {
  fingerprint: "f".repeat(22),
  pinned: true,
  edge: "edge-1",
  successorOf: null,
  words,
  allWords: [words, "those of the key before"],
  randomart: [],
};
const place = (isFirst: boolean, connection = 1): Place => ({
  server,
  th: new Uint8Array(32).fill(connection),
  isFirst,
});
const options: Challenge["options"] = [
  { at: "0.0", gate: "sms", prompt: { by: "code" } },
  { at: "0.1", gate: "otp" },
  { at: "0.2", gate: "question", prompt: { kind: "excerpt", statement: "amber anchor apple", positions: [2] } },
];
const asked = { attemptsLeft: 3, answerMs: 30_000, retry: false };
const challenge = (...gates: string[]): Challenge => ({
  n: 1,
  t: "challenge",
  cid: "c1",
  options: options.filter(({ gate }) => gates.includes(gate)),
  ...asked,
});
const wait: Wait = {
  n: 2,
  t: "wait",
  cid: "c2",
  at: "0.0",
  gate: "sms",
  prompt: { by: "code", to: "•••67" },
  status: "sent",
  resendMs: 60_000,
  ...asked,
};
const dialogueOf = (given: ConnectOptions) => createDialogue(readOptions("ws://localhost/chat/path", given));
/** What is waiting to be said, if anything, after all that is under way has settled. */
async function pending(dialogue: ReturnType<typeof createDialogue>) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return Promise.race([dialogue.next(), Promise.resolve(null)]);
}

describe("a dialogue over several connections", () => {
  it("says an answer that may have been lost once on the next one, also where that one breaks before it is said", async () => {
    const dialogue = dialogueOf({ answers: { sms: () => "123456" } });
    dialogue.challenge(challenge("sms"), place(true));
    dialogue.said(await dialogue.next());
    dialogue.wait(wait, place(false));
    const answer = await dialogue.next();
    expect(answer).toMatchObject({ kind: "answered", cid: "c2", reply: { value: "123456" } });
    dialogue.said(answer);
    dialogue.wait(wait, place(true, 2));
    dialogue.wait(wait, place(true, 3));
    expect(await dialogue.next()).toBe(answer);
    dialogue.said(answer);
    expect(await pending(dialogue)).toBe(null);
  });

  it("proves anew what a proof answered: it is bound to the connection", async () => {
    const answerSecret = formatAnswerSecret(new Uint8Array(32));
    const dialogue = dialogueOf({ answerSecret });
    dialogue.challenge(challenge("question"), place(true));
    const before = await dialogue.next();
    dialogue.said(before);
    dialogue.challenge(challenge("question"), place(true, 2));
    const after = await dialogue.next();
    expect([before, after]).toMatchObject([{ reply: { gate: "question" } }, { reply: { gate: "question" } }]);
    expect(after).not.toEqual(before);
    dialogue.said(after);
    expect(await pending(dialogue)).toBe(null);
  });

  it("proves for the connection that there is, where a person takes their time and it is another one meanwhile", async () => {
    const answerSecret = formatAnswerSecret(new Uint8Array(32));
    const questions: Question[] = [];
    const onChallenge = (question: Question) => {
      questions.push(question);
      return new Promise<null>(() => {});
    };
    const dialogue = dialogueOf({ answerSecret, automatic: false, onChallenge });
    dialogue.challenge(challenge("question"), place(true));
    dialogue.challenge(challenge("question"), place(true, 2));
    const [question, again] = questions;
    expect(again).toBe(undefined);
    const fresh = dialogueOf({ answerSecret });
    fresh.challenge(challenge("question"), place(true, 2));
    const value = question === undefined ? null : await question.solve(question);
    expect(await fresh.next()).toMatchObject({ reply: { value } });
  });

  it("gives each question one answer: a second click, or a code typed beside it, would count as wrong", async () => {
    const typed = Promise.withResolvers<string>();
    const shown: Waiting[] = [];
    const dialogue = dialogueOf({
      onChallenge: ({ waiting }) => (waiting === null ? { gate: "sms" } : typed.promise.then((value) => ({ value }))),
      onWait: (waiting) => void shown.push(waiting),
    });
    dialogue.challenge(challenge("sms", "otp"), place(true));
    dialogue.said(await dialogue.next());
    dialogue.wait(wait, place(false));
    for (let click = 0; click < 2; click += 1) shown[0]?.choose({ gate: "otp", at: "0.1", value: "654321" });
    const answer = await dialogue.next();
    dialogue.said(answer);
    typed.resolve("123456");
    shown[0]?.choose({ gate: "otp", at: "0.1", value: "654321" });
    expect(await pending(dialogue)).toBe(null);
    shown[0]?.resend();
    expect(await pending(dialogue)).toMatchObject({ kind: "resend" });
  });

  it("offers no more, beside a wait, what was answered meanwhile; what was wrong stays", async () => {
    const shown: Waiting[] = [];
    const dialogue = dialogueOf({
      onChallenge: () => ({ gate: "sms" }),
      onWait: (waiting) => void shown.push(waiting),
    });
    const ways = () => shown.at(-1)?.options.map(({ gate }) => gate);
    const link: Wait = { ...wait, prompt: { ...wait.prompt, by: "link", number: "417" } };
    dialogue.challenge(challenge("sms", "otp"), place(true));
    dialogue.said(await dialogue.next());
    dialogue.wait(link, place(false));
    expect(ways()).toEqual(["sms", "otp"]);
    for (const [cid, retry, left] of [
      ["c3", true, ["sms", "otp"]],
      ["c4", false, ["sms"]],
    ] as const) {
      shown.at(-1)?.choose({ gate: "otp", at: "0.1", value: "654321" });
      dialogue.said(await dialogue.next());
      dialogue.wait({ ...link, cid, retry }, place(false));
      expect(ways()).toEqual(left);
    }
  });

  it("tells when a wait is over: whoever answers beside it need not go on", async () => {
    const shown: Waiting[] = [];
    const dialogue = dialogueOf({
      onChallenge: () => ({ gate: "sms" }),
      onWait: (waiting) => void shown.push(waiting),
    });
    const isOver = () => shown.map(({ signal }) => signal.aborted);
    const link: Wait = { ...wait, prompt: { ...wait.prompt, by: "link", number: "417" } };
    dialogue.challenge(challenge("sms", "otp"), place(true));
    dialogue.said(await dialogue.next());
    dialogue.wait(link, place(false));
    dialogue.wait({ ...link, status: "failed" }, place(false));
    expect(isOver()).toEqual([false, false]);
    dialogue.wait({ ...link, cid: "c3" }, place(false));
    expect(isOver()).toEqual([true, true, false]);
    dialogue.stop();
    expect(isOver()).toEqual([true, true, true]);
  });

  it("normalises what is chosen beside a wait as it does what is asked for", async () => {
    const shown: Waiting[] = [];
    const dialogue = dialogueOf({
      onChallenge: () => ({ gate: "sms" }),
      onWait: (waiting) => void shown.push(waiting),
    });
    dialogue.challenge(challenge("sms", "otp"), place(true));
    dialogue.said(await dialogue.next());
    dialogue.wait({ ...wait, prompt: { ...wait.prompt, by: "link", number: "417" } }, place(false));
    shown.at(-1)?.choose({ gate: "otp", at: "0.1", value: " 654 321 " });
    expect(await dialogue.next()).toMatchObject({ reply: { gate: "otp", value: "654321" } });
  });

  it("asks before it answers by itself where the application wants to be asked, and does it then if that says so", async () => {
    const answerSecret = formatAnswerSecret(new Uint8Array(32));
    const asked: string[] = [];
    const byItself = dialogueOf({
      answerSecret,
      onChallenge: () => Promise.reject(new Error("nobody is to be asked")),
    });
    byItself.challenge(challenge("question"), place(true));
    const dialogue = dialogueOf({
      answerSecret,
      automatic: false,
      async onChallenge(question) {
        asked.push(question.gate);
        // Of what it has nothing for, it does nothing.
        expect(question.solve({ ...question, ask: null })).toBe(null);
        const value = await question.solve(question);
        return value === null ? null : { gate: question.gate, value };
      },
    });
    dialogue.challenge(challenge("question"), place(true));
    const [own, solved] = [await byItself.next(), await dialogue.next()];
    expect(asked).toEqual(["question"]);
    expect(solved).toMatchObject({ kind: "answered", reply: { gate: "question", value: expect.any(String) } });
    expect(solved).toEqual(own);
  });

  it("does not disturb who types something else where a question could be answered too", async () => {
    let times = 0;
    const typed = Promise.withResolvers<string>();
    const dialogue = dialogueOf({
      answers: {
        otp(question) {
          times += 1;
          question.signal.addEventListener("abort", () => typed.reject(new Error("disturbed")));
          return typed.promise;
        },
      },
    });
    dialogue.challenge(challenge("otp", "question"), place(true));
    await pending(dialogue);
    dialogue.challenge(challenge("otp", "question"), place(true, 2));
    typed.resolve("654321");
    expect(await dialogue.next()).toMatchObject({ reply: { gate: "otp", value: "654321" } });
    expect(times).toBe(1);
  });
});

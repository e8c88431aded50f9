import type { Challenge as Captcha } from "altcha-lib";
import { createChallenge, verifySolution } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/web/pbkdf2";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createDialogue, type Place } from "../src/dialogue.ts";
import { type ConnectOptions, readOptions } from "../src/options.ts";
import { captcha } from "../src/prompts/captcha.ts";

const secrets = { hmacSignatureSecret: "a", hmacKeySignatureSecret: "b" };
const algorithm = "PBKDF2/SHA-256";
const made = (counter: number, cost = 1_000) => createChallenge({ algorithm, cost, counter, deriveKey, ...secrets });

const place: Place = {
  server: {
    fingerprint: "f".repeat(22),
    pinned: true,
    edge: "edge-1",
    successorOf: null,
    words: "",
    allWords: [],
    randomart: [],
  },
  th: new Uint8Array(32),
  isFirst: true,
};
const asks = (challenge: Captcha, answerMs = 30_000) => ({
  n: 1,
  t: "challenge" as const,
  cid: "c1",
  options: [{ at: "0", gate: "captcha", prompt: { challenge } }],
  attemptsLeft: 3,
  answerMs,
  retry: false,
});
const dialogues: ReturnType<typeof createDialogue>[] = [];
function dialogueOf(given: ConnectOptions = {}) {
  const dialogue = createDialogue(readOptions("ws://localhost/chat/path", given));
  dialogues.push(dialogue);
  return dialogue;
}
afterEach(() => {
  for (const dialogue of dialogues.splice(0)) dialogue.stop();
});

describe("the client at a captcha", () => {
  it("does the work by itself, and the event loop goes on meanwhile", async () => {
    const challenge = await made(300);
    const dialogue = dialogueOf({ onChallenge: () => Promise.reject(new Error("nobody is to be asked")) });
    let beats = 0;
    const heart = setInterval(() => (beats += 1), 5);
    dialogue.challenge(asks(challenge), place);
    const wish = await dialogue.next();
    clearInterval(heart);
    if (wish.kind !== "answered") throw new Error(wish.kind);
    const { solution, ...sent } = JSON.parse(atob(wish.reply.value ?? ""));
    expect(sent).toEqual({ challenge });
    expect((await verifySolution({ challenge, solution, deriveKey, ...secrets })).verified).toBe(true);
    expect(beats).toBeGreaterThan(3);
  });

  it("says that the time is over, before it is, where the work takes longer", async () => {
    const dialogue = dialogueOf();
    dialogue.challenge(asks(await made(1_000_000), 1_200), place);
    const startedMs = Date.now();
    expect(await dialogue.next()).toMatchObject({ kind: "given-up", error: { code: "timeout" } });
    expect(Date.now() - startedMs).toBeLessThan(1_200);
  });

  it("stops when no answer is wanted any more", async () => {
    const stop = new AbortController();
    const { parameters, signature } = await made(1_000_000);
    const derived = vi.spyOn(crypto.subtle, "deriveBits");
    const working = captcha.automatic?.({
      details: { challenge: { parameters, signature } },
      th: new Uint8Array(32),
      cid: "c1",
      means: {},
      untilMs: Date.now() + 30_000,
      clock: Date.now,
      signal: stop.signal,
    });
    setTimeout(() => stop.abort(), 50);
    await expect(working).rejects.toMatchObject({ code: "cancelled" });
    const before = derived.mock.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(derived.mock.calls.length).toBe(before);
    derived.mockRestore();
  });

  it.each([
    ["more than is reasonable", { cost: 10_001 }],
    ["another algorithm", { algorithm: "SCRYPT" }],
    ["a prefix that no key has", { keyPrefix: "zz" }],
    ["a key of another length", { keyLength: 64 }],
  ])("refuses a server that asks for %s", async (_what, change) => {
    const challenge = await made(1);
    const dialogue = dialogueOf();
    dialogue.challenge(asks({ ...challenge, parameters: { ...challenge.parameters, ...change } }), place);
    expect(await dialogue.next()).toMatchObject({ kind: "given-up", error: { code: "unsupported" } });
  });
});

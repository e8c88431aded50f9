import { randomInt, timingSafeEqual } from "node:crypto";
import { type Challenge, createChallenge, verifySolution } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/pbkdf2";
import { z } from "zod";
import type { Gate, GateContext, GateResult } from "./gate.ts";
import { windowMs } from "./suspicion.ts";

const config = z.strictObject({ cost: z.enum(["low", "normal", "high"]) });

const algorithm = "PBKDF2/SHA-256";
/** Of PBKDF2, for one try: about 1 ms of one core. The server makes one for each question, and none to judge the answer. */
const iterationsPerTry = 2_000;
/** Tries that a client needs on average: 300 are about 0.3 s on a laptop, and three to four times as long on an old phone. */
const triesOf = { low: 150, normal: 300, high: 600 } as const;
/** So many counts of suspicion double the price once more. */
const countsPerStep = 5;
/** The most that is ever asked for, about 2.5 s on a laptop: longer would miss the 30 s that an answer usually has, on a phone. */
const triesMax = 2_400;
/** From half the price to one and a half times: nobody can tell from the time that has passed how many tries are left. */
const spread = 0.5;
/** As long as a policy can leave for an answer, and a minute. */
const lifetimeMs = 11 * 60_000;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const data = z.strictObject({
  cid: z.string().max(64),
  socket: z.string().max(64),
  untilMs: z.number().int(),
  window: z.number().int(),
});
/** What ALTCHA clients send (version 2 of its payload): base64 of this, as JSON. */
const payload = z.strictObject({
  challenge: z.strictObject({
    parameters: z.strictObject({
      algorithm: z.literal(algorithm),
      nonce: hex(16),
      salt: hex(16),
      cost: z.literal(iterationsPerTry),
      keyLength: z.literal(32),
      keyPrefix: hex(16),
      keySignature: hex(32),
      data,
    }),
    signature: hex(32),
  }),
  solution: z.strictObject({
    counter: z.number().int().nonnegative().max(0xffff_ffff),
    derivedKey: hex(32),
    time: z.number().optional(),
  }),
});
type Payload = z.infer<typeof payload>;

/**
 * A proof of work (ALTCHA 2), made and judged here and nowhere else. All that a challenge says, what it is bound to included, is one
 * JSON object under one HMAC: there is no salt beside it that could be cut elsewhere to make another deadline of it (CVE-2025-68113).
 * It is bound to challenge and socket and not to the connection, over which the challenge outlives; each challenge passes once.
 */
export const captcha: Gate = {
  name: "captcha",

  async prepare({ cid, socketId, network, clock, vault, suspicion }, given) {
    const { cost } = config.parse(given);
    const { before, window } = await suspicion.asked(network);
    const tries = Math.min(triesMax, triesOf[cost] * 2 ** Math.min(16, Math.floor(before / countsPerStep)));
    const challenge = await createChallenge({
      algorithm,
      cost: iterationsPerTry,
      counter: randomInt(Math.floor(tries * (1 - spread)), Math.ceil(tries * (1 + spread))),
      deriveKey,
      ...keysOf(vault),
      // The library tells expiry by its own clock: ours is in `untilMs`, under the same signature.
      data: { cid, socket: socketId, untilMs: clock() + lifetimeMs, window },
    });
    return { challenge: { parameters: challenge.parameters, signature: challenge.signature } };
  },

  async verify(context, item) {
    if (!config.safeParse(item.config).success) return refused("config");
    const { cid } = context;
    if (cid === null) return refused("unasked");
    const sent = read(item.value);
    if (sent === null) return refused("malformed");
    if (!(await isSolved(context, sent))) return refused("wrong");
    const { cid: asked, socket, untilMs, window } = sent.challenge.parameters.data;
    if (!isSame(asked, cid) || socket !== context.socketId) return refused("elsewhere");
    if (context.clock() >= untilMs) return refused("late");
    // Once, on whichever replica; the same answer of the same step is told the same again.
    const holder = `${context.hid}:${item.ref}`;
    if (!(await context.state.advance(`factors.captcha.${cid}`, 1, holder, lifetimeMs))) return refused("used");
    // A step that is repeated takes its count back once.
    const first = await context.state.create(`factors.captcha.${cid}.counted`, Uint8Array.of(1), 2 * windowMs);
    if (first !== null) await context.suspicion.solved(context.network, window);
    return { ok: true, cause: null };
  },
};

function keysOf(vault: GateContext["vault"]) {
  return {
    hmacSignatureSecret: Buffer.from(vault.subkey("captcha-challenge")).toString("hex"),
    hmacKeySignatureSecret: Buffer.from(vault.subkey("captcha-solution")).toString("hex"),
  };
}

async function isSolved({ vault }: GateContext, { challenge, solution }: Payload): Promise<boolean> {
  const { counter, derivedKey } = solution;
  const asked: Challenge = challenge;
  const { verified } = await verifySolution({
    challenge: asked,
    solution: { counter, derivedKey },
    deriveKey,
    ...keysOf(vault),
  });
  return verified;
}

function read(value: string): Payload | null {
  try {
    const { data: sent } = payload.safeParse(JSON.parse(Buffer.from(value, "base64").toString("utf8")));
    return sent ?? null;
  } catch {
    return null;
  }
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function refused(cause: string): GateResult {
  return { ok: false, cause };
}

import {
  type AuthenticatorSubject,
  checkCode,
  confirmSecret,
  enrolSecret,
  forgetAnswerRule,
  forgetAnswerSecret,
  forgetSecret,
  forgetSign,
  forgetSocketSecrets,
  getSign,
  mintAnswerSecret,
  prepareFactors,
  putSign,
  readWait,
  resendWait,
  ServiceError,
  setAnswerRule,
  startWait,
  verifyFactors,
  type WaitFate,
  type WaitView,
} from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import type { z } from "zod";
import { type FakePasskeys, servePasskeys } from "./passkeys.ts";

interface Item {
  readonly ref: string;
  readonly gate: string;
  readonly value: string;
}

/** In the place of `factors`: knows who is enrolled, and judges as it is told. */
export interface FakeFactors {
  /** Names of subjects with a secret: `owner:id`, `socket:id`, `member:socket:id`. */
  readonly active: Set<string>;
  readonly pending: Set<string>;
  /** What every authenticator shows now. Each request for it uses it up. */
  code: string;
  /** Values that pass a gate. */
  readonly right: Set<string>;
  /** Everything that was asked, in order. */
  readonly verified: (Item & { readonly hid: string })[];
  /** Called before anything is judged: throws or waits as the test wants. */
  before: (items: readonly Item[]) => Promise<void> | void;
  /** What is answered to `verify`, where that is not what is right. */
  reply: ((items: readonly Item[]) => { ref: string; ok: boolean; cause: null }[]) | null;
  /** Called before a code is checked or a secret forgotten. */
  down: boolean;
  /** Waits that were begun, by id: what they are now. */
  readonly waits: Map<string, { to: string | null; handshake: string; view: WaitView; fate: WaitFate }>;
  readonly resent: string[];
  readonly passkeys: FakePasskeys;
  /** By socket and member. */
  readonly signs: Map<string, string>;
  /** What was asked to be prepared, and as what it is asked; null: not now. */
  readonly prepared: z.infer<(typeof prepareFactors)["request"]>[];
  prompt: Record<string, unknown> | null;
}

export async function serveFactors(platform: Platform): Promise<FakeFactors> {
  const { server } = platform;
  const used = new Set<string>();
  const factors: FakeFactors = {
    active: new Set(),
    pending: new Set(),
    code: "123456",
    right: new Set(["right"]),
    verified: [],
    before: () => undefined,
    reply: null,
    down: false,
    waits: new Map(),
    resent: [],
    passkeys: await servePasskeys(platform),
    signs: new Map(),
    prepared: [],
    prompt: { ask: "agree" },
  };
  const requireUp = () => {
    if (factors.down) throw new ServiceError("unavailable");
  };
  const passes = (subject: AuthenticatorSubject, code: string) => {
    const use = `${nameOf(subject)} ${code}`;
    if (code !== factors.code || used.has(use)) return false;
    used.add(use);
    return true;
  };

  await server.serve(enrolSecret, ({ subject, account, active }) => {
    requireUp();
    (active ? factors.active : factors.pending).add(nameOf(subject));
    return { uri: `otpauth://totp/Portcullis:${encodeURIComponent(account)}?secret=AAAA` };
  });
  await server.serve(confirmSecret, ({ subject, code }) => {
    requireUp();
    if (!factors.pending.has(nameOf(subject)) || !passes(subject, code)) return { ok: false };
    factors.pending.delete(nameOf(subject));
    factors.active.add(nameOf(subject));
    return { ok: true };
  });
  await server.serve(checkCode, ({ subject, code }) => {
    requireUp();
    return { ok: factors.active.has(nameOf(subject)) && passes(subject, code) };
  });
  await server.serve(forgetSecret, ({ subject }) => {
    requireUp();
    return { existed: factors.active.delete(nameOf(subject)) };
  });
  await server.serve(forgetSocketSecrets, ({ socketId }) => {
    requireUp();
    for (const name of factors.active) if (name.split(":")[1] === socketId) factors.active.delete(name);
    return {};
  });
  await server.serve(mintAnswerSecret, ({ socketId, member }) => {
    requireUp();
    factors.active.add(`answers:${socketId}:${member}`);
    return { secret: "pa1.secret" };
  });
  await server.serve(forgetAnswerSecret, ({ socketId, member }) => {
    requireUp();
    return { existed: factors.active.delete(`answers:${socketId}:${member}`) };
  });
  await server.serve(setAnswerRule, ({ socketId, member, rule }) => {
    requireUp();
    factors.active.add(`rules:${socketId}:${member}`);
    return { rule: rule ?? "1 2 3 4" };
  });
  await server.serve(forgetAnswerRule, ({ socketId, member }) => {
    requireUp();
    return { existed: factors.active.delete(`rules:${socketId}:${member}`) };
  });
  await server.serve(putSign, ({ socketId, member, art }) => {
    requireUp();
    const kept = art ?? "[made]";
    factors.signs.set(`${socketId}:${member}`, kept);
    return { art: kept };
  });
  await server.serve(getSign, ({ socketId, member }) => ({ art: factors.signs.get(`${socketId}:${member}`) ?? null }));
  await server.serve(forgetSign, ({ socketId, member }) => {
    requireUp();
    return { existed: factors.signs.delete(`${socketId}:${member}`) };
  });
  await server.serve(prepareFactors, (request) => {
    factors.prepared.push(request);
    return { prompts: request.items.map(() => factors.prompt) };
  });
  await server.serve(startWait, async ({ waitId, handshake, gate, config, to }) => {
    await factors.before([{ ref: waitId, gate, value: "" }]);
    const by = config.by === "link" ? "link" : "code";
    const view: WaitView = {
      prompt: { by, to: "masked", ...(by === "link" ? { number: "417" } : {}) },
      status: "queued",
      resendAtMs: null,
    };
    const wait = factors.waits.get(waitId) ?? { to, handshake, view, fate: "open" as const };
    factors.waits.set(waitId, wait);
    return wait.view;
  });
  await server.serve(resendWait, ({ waitId, ref }) => {
    factors.resent.push(ref);
    return factors.waits.get(waitId)?.view ?? null;
  });
  await server.serve(readWait, ({ waitId }) => {
    const wait = factors.waits.get(waitId);
    return { wait: wait?.view ?? null, fate: wait?.fate ?? "open" };
  });
  await server.serve(verifyFactors, async ({ hid, items }) => {
    await factors.before(items);
    factors.verified.push(...items.map(({ ref, gate, value }) => ({ hid, ref, gate, value })));
    return {
      results:
        factors.reply?.(items) ?? items.map(({ ref, value }) => ({ ref, ok: factors.right.has(value), cause: null })),
    };
  });
  return factors;
}

export function nameOf(subject: AuthenticatorSubject): string {
  switch (subject.of) {
    case "owner":
      return `owner:${subject.ownerId}`;
    case "socket":
      return `socket:${subject.socketId}`;
    case "member":
      return `member:${subject.socketId}:${subject.member}`;
  }
}

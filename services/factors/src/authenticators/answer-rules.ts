import { createHash, timingSafeEqual } from "node:crypto";
import { type AuthenticatorSubject, ServiceError } from "@portcullis/contracts";
import type { Collection } from "@portcullis/documents";
import {
  type AnswerRule,
  answerByRule,
  normaliseAnswer,
  readAnswerRule,
  ruleBytesMax,
  ruleHelp,
  ruleWords,
} from "@portcullis/policy";
import type { Clock, Ids, Logger, Random, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Authenticator } from "./record.ts";
import { type AuthenticatorStore, createAuthenticatorStore } from "./store.ts";

/**
 * Wrong answers in a row after which a rule is dead until the owner sets another one. A rule is guessed with 1 : 65536 at best where it is
 * four random positions, so ten are as much as a hundred of a six-digit code.
 */
const failuresMax = 10;
/** From the first wrong answer, and fixed: guessing slowly gains nothing. */
const failuresTtlMs = 365 * 86_400_000;
const madePositions = 4;
/** Stored rules have one length, so that it tells nothing about them. */
const recordBytes = ruleBytesMax;
const nobody = "nobody";

export type RuleRefusal = "unknown" | "unreadable" | "exhausted" | "wrong";

/** Secret rules of members, wrapped by the vault like authenticators' secrets. */
export interface AnswerRules {
  /**
   * @param written null: one is made
   * @returns the rule, to be shown once
   * @throws {ServiceError} invalid
   */
  set(subject: AuthenticatorSubject, written: string | null): Promise<string>;
  forget(subject: AuthenticatorSubject): Promise<boolean>;
  forgetSocket(socketId: string): Promise<void>;
  /**
   * Judges an answer to a statement. The same operations on the stores and the same work, whether or not there is a rule.
   *
   * @param subject null: nobody
   * @returns null where it is right
   */
  judge(subject: AuthenticatorSubject | null, statement: string, answer: string): Promise<RuleRefusal | null>;
}

export async function createAnswerRules(options: {
  readonly collection: Collection<Authenticator>;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly state: State;
  readonly log: Pick<Logger, "error">;
}): Promise<AnswerRules> {
  const { collection, vault, clock, ids, random, state, log } = options;
  const store: AuthenticatorStore = createAuthenticatorStore({
    kind: "answer-rules",
    secretBytes: recordBytes,
    collection,
    vault,
    clock,
    ids,
    random,
  });
  const decoy = readAnswerRule("1 2 3 4");
  if (decoy === null) throw new TypeError("no rule");
  const failuresKey = (enrolment: string) => `factors.rule-failures.${enrolment}`;

  return {
    async set(subject, written) {
      const rule = readAnswerRule(written ?? madeRule(random));
      if (rule === null) throw new ServiceError("invalid", { issues: [{ path: "rule", message: ruleHelp }] });
      const record = Buffer.alloc(recordBytes, " ");
      record.write(rule.text, "utf8");
      await store.enrol(subject, "active", new Uint8Array(record));
      record.fill(0);
      return rule.text;
    },

    forget: (subject) => store.forget(subject),
    forgetSocket: (socketId) => store.forgetSocket(socketId),

    async judge(subject, statement, answer) {
      const found = await store.find(subject, "active");
      const secret = found?.secret ?? null;
      const rule = secret === null ? null : ruleIn(secret);
      secret?.fill(0);
      if (found !== null && rule === null) log.error("an answer rule does not open", { enrolment: found.id });
      const counter = failuresKey(found?.id ?? nobody);
      // Counted before it is looked at: of any number of guesses at once, no more than the limit are ever compared.
      const failures = await state.add(counter, 1, failuresTtlMs);
      const isRight = isSame(answerByRule(rule ?? decoy, statement), normaliseAnswer(answer));
      if (found === null) return "unknown";
      if (rule === null) return "unreadable";
      if (failures > failuresMax) return "exhausted";
      if (!isRight) return "wrong";
      await state.reset(counter);
      return null;
    },
  };
}

function ruleIn(secret: Uint8Array): AnswerRule | null {
  return readAnswerRule(Buffer.from(secret).toString("utf8").trimEnd());
}

/** Four different positions in random order, of sixteen: 43680 rules. */
function madeRule(random: Random): string {
  const left = Array.from({ length: ruleWords }, (_, index) => index + 1);
  return Array.from({ length: madePositions }, () => {
    // 48 bits modulo sixteen at most: the bias is none that counts.
    const drawn = Buffer.from(random(6)).readUIntBE(0, 6);
    return left.splice(drawn % left.length, 1)[0];
  }).join(" ");
}

/** Over hashes, so that neither content nor length shows in the time. */
function isSame(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text, "utf8").digest();
  return timingSafeEqual(hash(a), hash(b));
}

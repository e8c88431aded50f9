import type { AuthenticatorSubject } from "@portcullis/contracts";
import type { Clock, Logger, Random } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { type AuthenticatorStore, type EnrolmentStatus, secretBytes } from "./store.ts";
import { driftSteps, matchingStep, stepMs } from "./totp.ts";

/** Why a code was refused: for the audit log, never for whoever sent it. */
export type CodeRefusal =
  /** There is no such enrolment. */
  | "unknown"
  /** Its blob does not open. */
  | "unreadable"
  /** Too many wrong ones in a row: the authenticator has to be enrolled anew. */
  | "exhausted"
  /** No code of this moment. */
  | "wrong"
  /** Right, but its time step, or a later one, is used up. */
  | "used";

export interface CodeUse {
  /** Null: nobody; refused at the same cost. */
  readonly subject: AuthenticatorSubject | null;
  readonly status: EnrolmentStatus;
  readonly code: string;
  /** The request that uses the code up; it alone may present it again. */
  readonly holder: string;
}

export type CodeResult =
  | { readonly ok: true; readonly enrolmentId: string }
  | { readonly ok: false; readonly cause: CodeRefusal };

export interface Codes {
  /**
   * Verifies a code and uses up its time step, at most once across replicas and connections.
   *
   * Every refusal takes the same steps: one document read, one unwrapping, three HMACs, one `add`, one `advance`. So neither the
   * answer nor its time tells who is enrolled (RFC 6238 and NIST leave this open; a list of members is worth having).
   */
  use(attempt: CodeUse): Promise<CodeResult>;
}

export interface CodesOptions {
  readonly store: AuthenticatorStore;
  readonly state: State;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Logger, "error">;
  readonly failuresMax: number;
}

/**
 * How long a used step is remembered. Its code can match for three steps (drift either way), so after 90 s the mark guards
 * nothing; ten minutes more are for clocks that are set back and replicas that disagree. It is in the state store, not in memory:
 * a restart, or another replica, finds it.
 */
const markTtlMs = (2 * driftSteps + 1) * stepMs + 10 * 60_000;

/** From the first attempt; fixed, so that nobody who guesses slowly gets more than the limit out of a year. */
const failuresTtlMs = 365 * 86_400_000;

const nobodyTtlMs = 3_600_000;
const nobody = "nobody";

/** Under the enrolment, not the subject: a new secret starts with neither the marks nor the failures of the old one. */
const markKey = (enrolmentId: string) => `factors.step.${enrolmentId}`;
const failuresKey = (enrolmentId: string) => `factors.failures.${enrolmentId}`;

export function createCodes({ store, state, clock, random, log, failuresMax }: CodesOptions): Codes {
  const decoySecret = random(secretBytes);

  return {
    async use({ subject, status, code, holder }) {
      const found = await store.find(subject, status);
      if (found?.unreadable === true) log.error("an authenticator's secret does not open", { enrolment: found.id });

      // Counted before it is looked at: of any number of guesses at once, no more than the limit are ever compared.
      const failures = await state.add(
        failuresKey(found?.id ?? nobody),
        1,
        found === null ? nobodyTtlMs : failuresTtlMs,
      );
      const secret = found?.secret ?? null;
      const step = await matchingStep(secret ?? decoySecret, code, clock());
      secret?.fill(0);

      const refusal = refusalOf({ known: found !== null, readable: secret !== null, failures, failuresMax, step });
      if (found === null || step === null || refusal !== null) {
        await state.advance(markKey(nobody), 0, nobody, nobodyTtlMs);
        return { ok: false, cause: refusal ?? "wrong" };
      }
      if (!(await state.advance(markKey(found.id), step, holder, markTtlMs))) return { ok: false, cause: "used" };
      // Failures are counted in a row. Guesses that are under way have been held against the limit already.
      await state.reset(failuresKey(found.id));
      return { ok: true, enrolmentId: found.id };
    },
  };
}

interface Findings {
  readonly known: boolean;
  readonly readable: boolean;
  readonly failures: number;
  readonly failuresMax: number;
  readonly step: number | null;
}

function refusalOf({ known, readable, failures, failuresMax, step }: Findings): CodeRefusal | null {
  if (!known) return "unknown";
  if (!readable) return "unreadable";
  if (failures > failuresMax) return "exhausted";
  return step === null ? "wrong" : null;
}

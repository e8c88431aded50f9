import type { ServiceName } from "@portcullis/contracts";
import type { Documents } from "@portcullis/documents";
import { AlteredRingError, type KeyRing, openKeyRing } from "@portcullis/key-ring";
import { type Kms, KmsError } from "@portcullis/kms";
import {
  type Clock,
  type Closer,
  connectionProblem,
  type Health,
  type Logger,
  StartupError,
  systemRandom,
  untilReady,
} from "@portcullis/runtime";

/**
 * A service's key ring, watched by `/readyz`. A key service that is not there yet is waited for.
 *
 * @throws {StartupError} waiting would not help: the ring does not open with what is set, or it was altered
 */
export async function openRing(options: {
  readonly service: ServiceName;
  readonly instance: string;
  readonly documents: Documents;
  readonly kms: Kms;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly health: Health;
  readonly closer: Closer;
  readonly signal: AbortSignal;
}): Promise<KeyRing> {
  const { service, kms, log, health, closer, signal } = options;
  const name = `data keys of ${service}`;
  const remove = health.add(name, () => Promise.reject(new Error("not opened yet")));
  const ring = await untilReady({
    what: `the data keys, wrapped by ${kms.describe()}`,
    attempt: () => openKeyRing({ ...options, random: systemRandom }).catch(asFinal),
    log,
    // An error of a key service names the settings to look at, and holds no values.
    problemOf: (error) => (error instanceof KmsError ? error.message : connectionProblem(error)),
    signal,
  });
  remove();
  health.add(name, () => ring.check());
  closer.add(name, () => ring.close());
  return ring;
}

function asFinal(error: unknown): never {
  const isFinal =
    error instanceof AlteredRingError ||
    (error instanceof KmsError && (error.code === "unopened" || error.code === "refused"));
  if (isFinal) throw new StartupError(error.message, { cause: error });
  throw error;
}

import { type Kms, KmsError } from "./port.ts";

/**
 * The one that wraps, and others that open what they wrapped before: so a deployment moves from one key service to another while it runs, by a new setting and
 * `keys rewrap`.
 */
export function choose(wraps: Kms, others: readonly Kms[]): Kms {
  return {
    ...wraps,
    async unwrap(wrapped, context) {
      const opens = [wraps, ...others].find(({ kind }) => wrapped.startsWith(`${kind}:`));
      if (opens === undefined) {
        const known = [wraps, ...others].map(({ kind }) => kind).join(" and ");
        throw new KmsError(
          "refused",
          `the key ring was wrapped by another kind of key service than ${known}: its settings are needed too`,
        );
      }
      return opens.unwrap(wrapped, context);
    },
  };
}

/** HPKE KEM ids (RFC 9180 section 7.1, draft-ietf-hpke-pq), as they stand in frames; KDF HKDF-SHA256 and AEAD AES-256-GCM with all. */
export const suites = Object.freeze({
  "647a": Object.freeze({ name: "MLKEM768-X25519", publicKeyBytes: 1216, encBytes: 1120, isPostQuantum: true }),
  "0020": Object.freeze({ name: "DHKEM(X25519, HKDF-SHA256)", publicKeyBytes: 32, encBytes: 32, isPostQuantum: false }),
});
export type SuiteId = keyof typeof suites;

/** Preferred first: a client takes the first that it and the bundle have. */
export const suiteIds: readonly SuiteId[] = Object.freeze(["647a", "0020"] as const);

export const isSuiteId = (id: string): id is SuiteId => Object.hasOwn(suites, id);

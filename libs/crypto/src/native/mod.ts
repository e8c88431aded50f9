import type { SuiteId } from "@portcullis/protocol";
import { CipherSuite, type Key } from "hpke";
import { AES_256_GCM } from "./aes-256-gcm.ts";
import { HKDF_SHA256 } from "./hkdf.ts";
import { MLKEM768_X25519 } from "./mlkem768-x25519.ts";
import { DHKEM_X25519 } from "./x25519.ts";

/**
 * The same suites on `node:crypto`, for a server: its WebCrypto goes through a pool of threads for each of a dozen small steps of an opening,
 * and its ML-KEM there is marked experimental. What differs is who does the arithmetic; HPKE itself stays the library's.
 */
export const nativeSuites: Readonly<Record<SuiteId, CipherSuite<Key>>> = Object.freeze({
  "647a": new CipherSuite(MLKEM768_X25519, HKDF_SHA256, AES_256_GCM) as CipherSuite<Key>,
  "0020": new CipherSuite(DHKEM_X25519, HKDF_SHA256, AES_256_GCM) as CipherSuite<Key>,
});

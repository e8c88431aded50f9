export { parseBundle, type SuiteId, suiteIds } from "@portcullis/protocol";
export { type AppKey, appKeyPsk, appKeyPskId, formatAppKey, generateAppKey, parseAppKey } from "./app-key.ts";
export { type AuditStatement, signAuditStatement, verifyAuditStatement } from "./audit.ts";
export { signBundle, type VerifiedBundle, verifyBundle } from "./bundle.ts";
export { expand, extract, H, L, type Random, secureRandom } from "./derive.ts";
export {
  type DirectoryName,
  type ListedIdentity,
  signIdentityStatement,
  signPrekeyStatement,
  type VerifiedEntry,
  verifyDirectoryEntry,
  verifyIdentityStatement,
  verifyPrekeyStatement,
} from "./end-to-end/directory.ts";
export { endToEndFingerprint, generateEndToEndIdentity, importEndToEndIdentity } from "./end-to-end/identity.ts";
export { prekeyPair, prekeySuites } from "./end-to-end/prekey.ts";
export { openBody, type SealedPlace, type SealedTo, sealBody } from "./end-to-end/seal.ts";
export { CryptoError, type CryptoErrorCode, cryptoErrorCodes } from "./errors.ts";
export { type GroupSecret, groupStepsOn, openGroupRecord, sealGroupRecord } from "./group.ts";
export { isWordsProof, normalWords, type WordsProof, wordsProof } from "./ident.ts";
export { fingerprint, generateIdentity, type Identity, importIdentity, sign, verify } from "./identity.ts";
export { type HandshakeSecrets, helloHash, openBox, type Psk, sealOpen } from "./open.ts";
export { passkeyChallenge } from "./passkey.ts";
export {
  type AnswerProof,
  answerProof,
  formatAnswerSecret,
  isAnswerProof,
  parseAnswerSecret,
} from "./question.ts";
export { randomart } from "./randomart.ts";
export { type ReceiptStatement, signReceipt, verifyReceipt } from "./receipt.ts";
export { openRecord, sealRecord } from "./record.ts";
export {
  type ApplicationSecrets,
  advanceChain,
  applicationSecrets,
  chainStart,
  type DirectionSecrets,
  finish,
  handshakeKeys,
  type Progress,
  parkedPsk,
  parkedPskId,
  resumePskId,
} from "./schedule.ts";
export { signSuccession, verifySuccession } from "./succession.ts";
export {
  chooseSuite,
  generateKemKeyPair,
  hasSuite,
  importKemKeyPair,
  type KemKeyPair,
  type KemPrivateKey,
} from "./suites.ts";
export { createRecordWriter, type RecordWriter } from "./writer.ts";

export {
  type ApplicationControl,
  type ApplicationDown,
  type ApplicationUp,
  type CatchUp,
  type CaughtUp,
  type ControlUp,
  encodeControl,
  type Grant,
  type GroupDown,
  parseApplicationDown,
  parseApplicationUp,
  parseGroupDown,
  type SteppedUp,
  type StepUpAction,
  type Tick,
} from "./application.ts";
export { base64url } from "./base64url.ts";
export { type Bundle, encodeBundle, parseBundle, type Succession, subprotocol, successionsMax } from "./bundle.ts";
export { concat, equalBytes, lp, u32be, u64be, utf8 } from "./bytes.ts";
export { type CloseCode, type CloseCodeName, closeCodeNames, closeCodeOf, closeCodes } from "./close-codes.ts";
export {
  type About,
  type ConsumerDown,
  type ConsumerUp,
  type Failure,
  type MessagingMode,
  messagingModes,
  type Role,
  roles,
} from "./consumer-controls.ts";
export { type DeniedFrame, encodeDenied, parseDenied } from "./denied.ts";
export { encodeContent, parseContent, type ReplyKey, type SealedContent } from "./end-to-end/content.ts";
export {
  type AskDirectory,
  type DirectoryEntry,
  directoryHistoryMax,
  type EndToEndMode,
  type Entry,
  endToEndModes,
  type Publish,
  type SignedIdentity,
  type SignedPrekey,
} from "./end-to-end/controls.ts";
export {
  encodeSealedHeader,
  isSealedBody,
  parseSealedBody,
  type SealedBody,
  type SealedBodyHeader,
} from "./end-to-end/sealed-body.ts";
export {
  encodeIdentityStatement,
  encodePrekeyStatement,
  type IdentityStatement,
  type PrekeyStatement,
  parseIdentityStatement,
  parsePrekeyStatement,
} from "./end-to-end/statements.ts";
export { ProtocolError, type ProtocolErrorCode, protocolErrorCodes } from "./errors.ts";
export {
  encodeGroupHeader,
  type GroupHeader,
  type GroupRecord,
  groupWriterBytes,
  parseGroupRecord,
} from "./group-record.ts";
export { formatHandshakeId, parseHandshakeId } from "./handshake-id.ts";
export { encodeHello, type Hello, parseHello } from "./hello.ts";
export { limits } from "./limits.ts";
export {
  encodeMessageDown,
  encodeMessageUp,
  isMessageUp,
  type MessageDown,
  type MessageHead,
  type MessageUp,
  type MessageUpHead,
  parseMessageDown,
  parseMessageUp,
} from "./message.ts";
export { encodeOpen, type Open, parseOpen, pskOf } from "./open.ts";
export { encodeOpenPayload, type OfferedAnswer, type OpenPayload, parseOpenPayload } from "./open-payload.ts";
export { pad, paddedLength, unpad } from "./padding.ts";
export {
  type Accepted,
  type Answer,
  type Cancel,
  type Challenge,
  type ClientPlaintext,
  cancelReasons,
  type Denied,
  encodePlaintext,
  type Goodbye,
  type GroupGrant,
  type Offer,
  parseClientPlaintext,
  parseServerPlaintext,
  type Resend,
  type Revocation,
  type Revoked,
  type ServerPlaintext,
  type Start,
  type Wait,
  type WaitStatus,
  waitStatuses,
} from "./plaintext.ts";
export {
  type DownRecordType,
  encodeRecordHeader,
  parseRecord,
  type RecordHeader,
  type RecordType,
  recordTypes,
  type SealedRecord,
  type UpRecordType,
} from "./record.ts";
export { isSign, signLimits, signProblemOf } from "./sign.ts";
export { isSuiteId, type SuiteId, suiteIds, suites } from "./suites.ts";

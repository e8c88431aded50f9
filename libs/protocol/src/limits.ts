const kibibyte = 1024;
const paddedMax = 8 * kibibyte;
const tagBytes = 16;
const headerBytesMax = 29;

/**
 * Hard ceilings of the protocol, both sides. A server may be stricter where policy says so, never laxer. `*Bytes` are bytes
 * on the wire (for text frames: of their UTF-8), `*Chars` are UTF-16 code units of a JSON string, `*Ms` milliseconds.
 */
export const limits = Object.freeze({
  /** Text frame `hello`. */
  helloBytes: 8 * kibibyte,
  /** Text frame `open`. */
  openBytes: 16 * kibibyte,
  /** Text frame `denied`. */
  deniedBytes: 512,
  /** The signed JSON inside hello. */
  bundleBytes: 4 * kibibyte,
  /** Padded plaintext of the box and of one handshake record; its JSON is 4 bytes shorter. */
  handshakePlaintextBytes: paddedMax,
  /** The sealed box: the padded payload and its tag. */
  boxBytes: paddedMax + tagBytes,
  /** A whole handshake record: header, padded plaintext, tag. */
  handshakeRecordBytes: headerBytesMax + paddedMax + tagBytes,
  /** Everything a connection sends before `accepted`, `open` included. */
  unauthenticatedBytes: 64 * kibibyte,
  /** Frames a connection sends before `accepted`, `open` included. */
  handshakeFrames: 64,
  /** From the upgrade to `open`. */
  openDeadlineMs: 10_000,
  /** A client takes a bundle for this long after its `exp`: clocks differ. */
  bundleSkewMs: 60_000,
  /** Records sealed under one key. */
  recordsPerKey: 2 ** 23,
  /** The last step of an epoch: whoever takes a key that far derives no more often. */
  epochSteps: 1024,
  /** Body of a plain message, whatever the socket's policy says. */
  messageBytes: 1024 * kibibyte,
  /** JSON head of a plain message downwards. */
  messageHeadBytes: kibibyte,
  /** Padded plaintext of an application or group record: the longest message, with its head, in whole steps of 4096. */
  applicationPlaintextBytes: 1028 * kibibyte,
  /** JSON of an `about`: all that a client may have said of itself. */
  aboutBytes: 256 * kibibyte,
  /** `value` of an answer. */
  answerChars: 4096,
  /** Answers in one offer, or in one box. */
  answers: 16,
  /** Options in one challenge. */
  options: 32,
  /** Nesting of a challenge's `prompt`. */
  promptDepth: 8,
  /** Entries of `parameters`. */
  parameters: 32,
  /** Name of a parameter. */
  parameterNameChars: 64,
  /** Value of a parameter. */
  parameterChars: 1024,
  /** Host label of a socket. */
  labelChars: 63,
  /** Path of a socket and what follows it. */
  pathChars: 2048,
  /** Query of the upgrade request. */
  queryChars: 2048,
  /** The id that a client claims, and a member's name. */
  memberChars: 128,
});

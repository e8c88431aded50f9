import * as ref from "./reference.ts";

const { b64, text, toHex, lp, L, H } = ref;

/** Reproducible bytes that look random. */
export const fixed = (name: string, length = 32): Buffer =>
  ref.hkdfExpand(ref.extract(text("portcullis vectors"), text(name)), text("bytes"), length);

interface CaseInput {
  readonly name: string;
  readonly suite: "0020" | "647a";
  readonly key: boolean;
  /** Goes on with a handshake or a session: the PSK is that of its connection before. */
  readonly back?: "handshake" | "session";
  readonly payload: object;
  /** C→S and S→C plaintexts before `accepted`, in order. */
  readonly said: readonly (readonly ["client" | "server", object])[];
}

const dst = { label: "demo", path: "blue-heron/fancy_app_path", query: "myid=bob&room=2", id: "bob" };
const cid = (name: string): string => b64(fixed(name, 16));

const cases: readonly CaseInput[] = [
  {
    name: "X25519, app key, prompted: a wrong code, then the right one",
    suite: "0020",
    key: true,
    payload: { dst },
    said: [
      ["server", { n: 1, t: "challenge", cid: cid("c1"), options: [{ at: "1", gate: "otp" }], attemptsLeft: 3, answerMs: 30000, retry: false }],
      ["client", { n: 1, t: "answer", cid: cid("c1"), gate: "otp", value: "000000" }],
      ["server", { n: 2, t: "challenge", cid: cid("c2"), options: [{ at: "1", gate: "otp", prompt: { digits: 6 } }], attemptsLeft: 2, answerMs: 30000, retry: true }],
      ["client", { n: 2, t: "answer", cid: cid("c2"), gate: "otp", value: "287082", at: "1" }],
    ],
  },
  {
    name: "X25519, Base mode, offered in the box: accepted at once",
    suite: "0020",
    key: false,
    payload: { dst: { label: "open", path: "p", query: "", id: null }, answers: [{ gate: "otp", value: "287082" }], parameters: { room: "\u00fc2" } },
    said: [],
  },
  {
    name: "MLKEM768-X25519, app key, offered after open",
    suite: "647a",
    key: true,
    payload: { dst, answers: [{ gate: "otp", value: "0".repeat(300), at: "0.1" }] },
    said: [["client", { n: 1, t: "offer", answers: [{ gate: "otp", value: "287082" }] }]],
  },
  {
    name: "X25519, back over another connection: the message once more, then its code",
    suite: "0020",
    key: false,
    back: "handshake",
    payload: { dst },
    said: [
      ["server", { n: 1, t: "wait", cid: cid("w1"), at: "1", gate: "email", prompt: { by: "code", to: "b\u2022\u2022\u2022@e\u2022\u2022\u2022.com" }, status: "sent", resendMs: 0, attemptsLeft: 3, answerMs: 400000, retry: false }],
      ["client", { n: 1, t: "resend", cid: cid("w1") }],
      ["server", { n: 2, t: "wait", cid: cid("w1"), at: "1", gate: "email", prompt: { by: "code", to: "b\u2022\u2022\u2022@e\u2022\u2022\u2022.com" }, status: "queued", resendMs: 60000, attemptsLeft: 3, answerMs: 399000, retry: false }],
      ["client", { n: 2, t: "answer", cid: cid("w1"), gate: "email", value: "287082", at: "1" }],
      ["server", { n: 3, t: "challenge", cid: cid("c3"), options: [{ at: "2", gate: "sms", prompt: { by: "link" } }], attemptsLeft: 3, answerMs: 30000, retry: false }],
      ["client", { n: 3, t: "start", cid: cid("c3"), gate: "sms", at: "2" }],
      ["server", { n: 4, t: "wait", cid: cid("w2"), at: "2", gate: "sms", prompt: { by: "link", to: "\u2022\u2022\u202256", number: "417" }, status: "refused", resendMs: null, attemptsLeft: 3, answerMs: 300000, retry: false }],
    ],
  },
  {
    name: "X25519, a session that goes on over another connection, on a sealed socket",
    suite: "0020",
    key: false,
    back: "session",
    payload: { dst, resume: { next: 2 } },
    said: [],
  },
];

const grant = {
  socket: "c29ja2V0",
  epoch: 7,
  step: 0,
  key: b64(fixed("group key")),
  verify: b64(ref.ed25519Public(fixed("epoch key"))),
};

function build(input: CaseInput, recordedEnc: Buffer | null) {
  const own = (name: string, length = 32): Buffer => fixed(`${input.name}: ${name}`, length);
  const hybrid = input.suite === "647a";
  const identitySeed = own("identity");
  const identityPublicKey = ref.ed25519Public(identitySeed);
  const fingerprint = b64(H(L("idkey"), identityPublicKey).subarray(0, 16));
  const kemSecret = own("kem");
  const kemPublicKey = hybrid ? ref.hybridPublic(kemSecret) : ref.x25519Public(kemSecret);

  const bundleText = JSON.stringify({
    v: ["portcullis.v1"],
    kid: b64(own("kid", 16)),
    suites: { [input.suite]: b64(kemPublicKey) },
    idKey: b64(identityPublicKey),
    exp: 1_800_000_000,
  });
  const bundle = text(bundleText);
  const sig = ref.sign(identitySeed, "bundle", bundle);
  const hid = `edge-1.${b64(own("hid", 16))}`;
  const nonce = own("nonce");
  const h0 = H(L("h0"), lp(bundle), lp(sig), lp(text(hid)), lp(nonce));

  const keyId = b64(own("keyId", 12));
  const secret = own("secret");
  const ofSession = input.back === "session";
  const sid = b64(own("sid", 16));
  const before =
    input.back === undefined
      ? null
      : { id: ofSession ? sid : `edge-2.${b64(own("hid before", 16))}`, secret: own("secret before") };
  const psk =
    before !== null
      ? ref.Exp(before.secret, ofSession ? "resume" : "park")
      : input.key
        ? ref.Exp(secret, "psk")
        : Buffer.alloc(0);
  const pskId = before !== null ? `${ofSession ? "r" : "h"}:${before.id}` : input.key ? `k:${keyId}` : "";

  const ephemeral = hybrid ? null : own("ephemeral");
  const enc = ephemeral === null ? (recordedEnc ?? ref.hybridEncap(kemPublicKey)) : ref.x25519Public(ephemeral);
  const shared = hybrid ? ref.hybridDecap(kemSecret, enc) : ref.x25519Decap(kemSecret, enc);
  const hpke = ref.keySchedule({
    kem: Number.parseInt(input.suite, 16),
    aead: 2,
    shared,
    info: Buffer.concat([L("open"), h0]),
    psk,
    pskId: text(pskId),
  });
  const payload = JSON.stringify(input.payload);
  const padded = ref.pad(text(payload));
  const box = ref.aesSeal(hpke.key, hpke.baseNonce, Buffer.alloc(0), padded);
  const th = H(L("th"), h0, lp(text(input.suite)), lp(text(pskId)), lp(enc), lp(box));
  const exported = hpke.export(L("session"), 32);
  const prk = ref.extract(th, exported);
  const hs = { client: ref.Exp(prk, "c hs"), server: ref.Exp(prk, "s hs") };

  const writer = own("writer", 16);
  const chains: Record<"client" | "server", Buffer> = { client: Buffer.alloc(32), server: Buffer.alloc(32) };
  const counts = { client: 0, server: 0 };
  const sealed = (from: "client" | "server", type: number, directionSecret: Buffer, counter: number, plaintext: string) => {
    const made = ref.record({
      type,
      secret: directionSecret,
      writer: from === "server" ? writer : null,
      generation: 0,
      counter,
      plaintext: text(plaintext),
    });
    return {
      from,
      type,
      generation: 0,
      ...(from === "server" ? { writer: toHex(writer) } : {}),
      counter,
      plaintext,
      key: toHex(made.key),
      nonce: toHex(made.nonce),
      header: toHex(made.header),
      record: toHex(made.record),
    };
  };
  const records = input.said.map(([from, plaintext]) => {
    const json = JSON.stringify(plaintext);
    const made = sealed(from, from === "client" ? 0x10 : 0x11, hs[from], counts[from]++, json);
    chains[from] = H(chains[from], lp(text(json)));
    return { ...made, chain: toHex(chains[from]) };
  });

  // What went on began with the app key.
  const known = input.key || input.back !== undefined;
  const passed = input.back === "handshake" ? ["email", "sms"] : ["otp"];
  const F = H(L("fin"), th, ref.u32(counts.client), chains.client, ref.u32(counts.server), chains.server);
  const accepted = JSON.stringify({
    n: counts.server + 1,
    t: "accepted",
    nC: counts.client,
    F: b64(F),
    sid,
    member: known ? "bob" : null,
    assurance: { key: known, memberBound: known, gates: known ? passed : [] },
    gates: known ? ["key", ...passed] : passed,
    policyHash: b64(own("policy")),
    sealed: ofSession,
    ...(ofSession ? { group: grant, place: 41, resumeMs: 60000, next: 3 } : {}),
    expiresAt: 1_800_043_200_000,
    limits: { maxBytes: 65536, perSecond: 50 },
  });
  const acceptedRecord = sealed("server", 0x11, hs.server, counts.server, accepted);

  const prk2 = ref.extract(F, prk);
  const application = {
    client: ref.Exp(prk2, "c ap"),
    server: ref.Exp(prk2, "s ap"),
    resume: ref.Exp(prk2, "resume"),
    stepUp: ref.Exp(prk2, "stepup"),
    words: ref.Exp(prk2, "words"),
  };
  const revoked = sealed("server", 0x21, application.server, counts.server + 1, JSON.stringify({ t: "revoked", what: "kicked" }));
  const upwards = sealed("client", 0x20, application.client, 0, JSON.stringify({ n: 1, t: "cancel" }));

  return {
    name: input.name,
    suite: input.suite,
    identity: { seed: toHex(identitySeed), publicKey: toHex(identityPublicKey), fingerprint },
    kem: { secret: toHex(kemSecret), publicKey: toHex(kemPublicKey), ...(ephemeral === null ? {} : { ephemeral: toHex(ephemeral) }) },
    hello: {
      bundle: bundleText,
      sig: toHex(sig),
      hid,
      nonce: toHex(nonce),
      frame: JSON.stringify({ t: "hello", bundle: b64(bundle), sig: b64(sig), hid, nonce: b64(nonce) }),
      h0: toHex(h0),
    },
    appKey: input.key
      ? { text: `pc1.${keyId}.${b64(secret)}.${fingerprint}`, keyId, secret: toHex(secret), psk: toHex(psk) }
      : null,
    before:
      before === null
        ? null
        : { of: input.back ?? "handshake", id: before.id, secret: toHex(before.secret), psk: toHex(psk) },
    open: {
      pskId,
      payload,
      padded: toHex(padded),
      enc: toHex(enc),
      sharedSecret: toHex(shared),
      box: toHex(box),
      frame: JSON.stringify({ t: "open", suite: input.suite, enc: b64(enc), psk: pskId, box: b64(box) }),
    },
    schedule: {
      th: toHex(th),
      exported: toHex(exported),
      prk: toHex(prk),
      park: toHex(ref.Exp(prk, "park")),
      clientHandshake: toHex(hs.client),
      serverHandshake: toHex(hs.server),
    },
    records,
    finish: {
      clientCount: counts.client,
      clientChain: toHex(chains.client),
      serverCount: counts.server,
      serverChain: toHex(chains.server),
      F: toHex(F),
    },
    accepted: acceptedRecord,
    application: {
      prk2: toHex(prk2),
      client: toHex(application.client),
      server: toHex(application.server),
      resume: toHex(application.resume),
      stepUp: toHex(application.stepUp),
      words: toHex(application.words),
    },
    applicationRecords: [upwards, revoked],
  };
}

export type ScheduleVector = ReturnType<typeof build>;

/** @param recorded vectors made before: the post-quantum encapsulation is random and is taken over from there. */
export function buildSchedule(recorded: readonly ScheduleVector[]): ScheduleVector[] {
  return cases.map((input) => {
    const before = recorded.find((vector) => vector.name === input.name);
    return build(input, before === undefined ? null : ref.hex(before.open.enc));
  });
}

export function buildCodec() {
  const head = { sid: "c2Vzc2lvbg", member: "bob", msgid: "m-1" };
  const headBytes = text(JSON.stringify(head));
  const message = (type: number, counter: number, ...rest: readonly Uint8Array[]): string =>
    toHex(Buffer.concat([Buffer.of(type), ref.u64(counter), ...rest]));
  return {
    padding: [0, 1, 251, 252, 253, 1020, 1021, 4092, 4093, 8188, 8189].map((length) => ({
      length,
      paddedLength: ref.pad(Buffer.alloc(length)).length,
    })),
    padded: [{ plaintext: toHex(text("{}")), padded: toHex(ref.pad(text("{}"))) }],
    base64url: {
      valid: [0, 1, 2, 3, 4, 32].map((length) => ({ bytes: toHex(fixed("base64url", length)), text: b64(fixed("base64url", length)) })),
      invalid: ["A", "AA==", "AB", "AAB", "A+", "A/", "AA ", " AA", "AA\n", "AAAA\u00e9AAA", "AAAAA"],
    },
    messageUp: [
      { counter: 0, body: "", frame: message(0x40, 0) },
      { counter: 2 ** 40 + 7, body: toHex(text("hi")), frame: message(0x40, 2 ** 40 + 7, text("hi")) },
    ],
    messageDown: [
      {
        sequence: 3,
        head,
        body: toHex(text("hi")),
        frame: message(0x41, 3, ref.u16(headBytes.length), headBytes, text("hi")),
      },
    ],
    denied: [{ code: "denied", retryAfterMs: 30000, frame: '{"t":"denied","code":"denied","retryAfterMs":30000}' }],
  };
}

/** Sealed messages: what a client says, what it alone is told, and what everybody on the socket is told. */
export function buildSealed() {
  const secrets = { client: fixed("sealed client"), server: fixed("sealed server") };
  const writer = fixed("sealed writer", 16);
  const head = { sid: "c2Vzc2lvbg", member: "bob", msgid: "m-1", place: 42 };
  const headBytes = text(JSON.stringify(head));
  const down = Buffer.concat([Buffer.of(0x41), ref.u64(3), ref.u16(headBytes.length), headBytes, text("hi")]);
  const up = Buffer.concat([Buffer.of(0x40), ref.u64(3), text("hi")]);
  const json = (value: object) => text(JSON.stringify(value));
  const caughtUp = { t: "caught-up", through: 42, complete: true, more: false, group: grant };
  const options = [{ at: "0", gate: "otp" }];
  const stepUp = { n: 65537, t: "challenge", cid: cid("step-up"), options, attemptsLeft: 3, answerMs: 30000, retry: false };
  const one = (from: "client" | "server", counter: number, plaintext: Buffer) => {
    const type = from === "client" ? 0x20 : 0x21;
    const own = { type, secret: secrets[from], writer: from === "client" ? null : writer };
    const { record } = ref.record({ ...own, generation: 0, counter, plaintext });
    return { from, counter, plaintext: toHex(plaintext), record: toHex(record) };
  };
  const all = (counter: number, plaintext: Buffer, step = 0) => {
    const made = ref.groupRecord({
      socket: grant.socket,
      secret: fixed("group key"),
      signing: fixed("epoch key"),
      epoch: grant.epoch,
      step,
      writer,
      counter,
      plaintext,
    });
    return {
      counter,
      step,
      groupKey: toHex(ref.stepsOn(fixed("group key"), step)),
      plaintext: toHex(plaintext),
      key: toHex(made.key),
      header: toHex(made.header),
      ciphertext: toHex(made.ciphertext),
      signature: toHex(made.signature),
      record: toHex(made.record),
    };
  };
  return {
    client: toHex(secrets.client),
    server: toHex(secrets.server),
    grant,
    writer: toHex(writer),
    epochSeed: toHex(fixed("epoch key")),
    message: { sequence: 3, head, body: toHex(text("hi")) },
    records: [
      one("client", 0, up),
      one("client", 1, json({ t: "catch-up", after: 41 })),
      one("server", 9, down),
      one("server", 10, json(caughtUp)),
      one("server", 11, json({ t: "grant", group: grant })),
      one("server", 12, json({ t: "revoked", what: "policy-changed" })),
      one("server", 13, json(stepUp)),
      one("server", 14, json({ t: "stepped-up", n: 65538, gates: ["otp"], until: 1_795_000_300_000 })),
      one("client", 2, json({ t: "answer", cid: stepUp.cid, gate: "otp", value: "123456", at: "0" })),
    ],
    groupRecords: [all(13, down), all(14, json({ t: "tick", place: 42 })), all(15, down, 1), all(16, down, 3)],
  };
}

export type SealedVectors = ReturnType<typeof buildSealed>;

/** Proofs for the gate `question`. */
export function buildQuestion() {
  const secret = fixed("answer secret");
  const cases = [
    { statement: "amber walnut river silver", positions: [2, 4] },
    { statement: "gr\u00fcn blau", positions: [1] },
  ];
  return {
    secret: `pa1.${b64(secret)}`,
    key: toHex(ref.Exp(secret, "q")),
    proofs: cases.map(({ statement, positions }, index) => {
      const th = fixed(`th ${index}`);
      const id = cid(`question ${index}`);
      const choice = positions.map((position) => statement.split(" ")[position - 1]).join(" ");
      const said = Buffer.concat([L("question"), th, lp(text(id)), H(text(statement)), lp(text(choice))]);
      return { th: toHex(th), cid: id, statement, positions, choice, value: b64(ref.extract(ref.Exp(secret, "q"), said)) };
    }),
  };
}

export type QuestionVectors = ReturnType<typeof buildQuestion>;
export type CodecVectors = ReturnType<typeof buildCodec>;

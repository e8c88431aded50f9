import { fixed } from "./build.ts";
import { words } from "./build-identity.ts";
import * as ref from "./reference.ts";

const { b64, text, toHex, lp, L, H, u64 } = ref;

const cat = (...parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);
const socket = "demo";
const name = "consumer";
const atMs = 1_795_000_000_000;

interface Person {
  readonly seed: Buffer;
  readonly key: Buffer;
  readonly print: Buffer;
}
function person(who: string): Person {
  const seed = fixed(`e2e ${who}`);
  const key = ref.ed25519Public(seed);
  return { seed, key, print: H(L("e2e id"), key).subarray(0, 16) };
}
const [first, second, member] = ["first identity", "second identity", "member"].map(person) as [Person, Person, Person];

function identityOf({ seed, key }: Person, before: Person | null, at: number) {
  const follows = before === null ? {} : { before: b64(before.print) };
  const statement = text(JSON.stringify({ socket, name, at, ...follows, key: b64(key) }));
  const signed = { statement: b64(statement), sig: b64(ref.sign(seed, "e2e identity", statement)) };
  return before === null ? signed : { ...signed, sigBefore: b64(ref.sign(before.seed, "e2e successor", statement)) };
}

const suites = {
  "0020": { kem: 0x0020, id: Buffer.of(0x00, 0x20), publicOf: ref.x25519Public },
  "647a": { kem: 0x647a, id: Buffer.of(0x64, 0x7a), publicOf: ref.hybridPublic },
} as const;
type Suite = keyof typeof suites;

interface Said {
  readonly title: string;
  readonly suite: Suite;
  readonly from: Person;
  readonly sid: string;
  readonly to: Person;
  readonly keyId: Buffer;
  readonly secret: Buffer;
  readonly seq: number;
  readonly reply: Buffer;
  readonly body: string;
}

/** @param recorded the encapsulation of the file that is there, since the post-quantum one is random */
function sealed(said: Said, recorded: string | undefined) {
  const { suite: id, from, sid, to, keyId, secret, seq, reply, body, title } = said;
  const suite = suites[id];
  const publicKey = suite.publicOf(secret);
  const ephemeral = fixed(`e2e ephemeral ${title}`);
  const enc =
    id === "0020"
      ? ref.x25519Public(ephemeral)
      : recorded === undefined
        ? ref.hybridEncap(publicKey)
        : ref.hex(recorded);
  const shared = id === "0020" ? ref.x25519Encap(ephemeral, publicKey) : ref.hybridDecap(secret, enc);
  const place = cat(lp(text(socket)), lp(text(sid)));
  const info = cat(L("e2e"), place, to.print);
  const none = Buffer.alloc(0);
  const { key, baseNonce } = ref.keySchedule({ kem: suite.kem, aead: 2, shared, info, psk: none, pskId: none });
  const header = cat(Buffer.of(1), to.print, keyId, suite.id);
  const messageId = fixed(`e2e id ${title}`, 16);
  const content = cat(from.key, messageId, u64(seq), lp(reply), lp(text(body)));
  const sig = ref.sign(from.seed, "e2e", cat(place, header, content));
  const whole = cat(header, enc, ref.aesSeal(key, baseNonce, header, ref.pad(cat(content, sig))));
  return {
    title,
    suite: id,
    socket,
    sid,
    sender: b64(from.print),
    recipient: b64(to.print),
    keyId: toHex(keyId),
    secret: toHex(secret),
    publicKey: toHex(publicKey),
    messageId: toHex(messageId),
    seq,
    reply: toHex(reply),
    text: body,
    info: toHex(info),
    enc: toHex(enc),
    header: toHex(header),
    content: toHex(content),
    sig: toHex(sig),
    key: toHex(key),
    baseNonce: toHex(baseNonce),
    body: toHex(whole),
  };
}

/** What is sealed beyond the server: docs/protocol.md section 17. */
export function buildE2e(recorded: { readonly messages?: readonly { readonly enc: string }[] }) {
  const prekeyId = fixed("e2e prekey id", 8);
  const secrets = { "0020": fixed("e2e prekey x25519"), "647a": fixed("e2e prekey hybrid") };
  const publicKeys = {
    "647a": b64(suites["647a"].publicOf(secrets["647a"])),
    "0020": b64(suites["0020"].publicOf(secrets["0020"])),
  };
  const term = { from: atMs + 1_000, until: atMs + 172_801_000 };
  const prekey = text(JSON.stringify({ socket, name, ...term, id: b64(prekeyId), suites: publicKeys }));
  const replyId = fixed("e2e reply id", 8);
  const replySecret = fixed("e2e reply x25519");
  const reply = cat(replyId, suites["0020"].id, suites["0020"].publicOf(replySecret));
  const asked = { from: member, sid: "sid-bob", to: second, keyId: prekeyId };
  const said: readonly Said[] = [
    { ...asked, title: "X25519, a message", suite: "0020", secret: secrets["0020"], seq: 0, reply, body: "for the program \u00fc" },
    {
      title: "X25519, its answer",
      suite: "0020",
      from: second,
      sid: "sid-program",
      to: member,
      keyId: replyId,
      secret: replySecret,
      seq: 0,
      reply: Buffer.alloc(0),
      body: "for the member",
    },
    {
      ...asked,
      title: "MLKEM768-X25519, another message, which is not to be answered",
      suite: "647a",
      secret: secrets["647a"],
      seq: 1,
      reply: Buffer.alloc(0),
      body: "for later",
    },
  ];
  return {
    identities: [first, second, member].map(({ seed, key, print }) => ({
      text: `pe1.${b64(seed)}`,
      publicKey: toHex(key),
      fingerprint: b64(print),
      words: words(print),
    })),
    /** The second follows the first, which members have pinned. */
    entry: {
      socket,
      name,
      nowMs: atMs + 2_000,
      history: [identityOf(first, null, atMs - 1_000), identityOf(second, first, atMs)],
      prekey: { statement: b64(prekey), sig: b64(ref.sign(second.seed, "e2e prekey", prekey)) },
      prekeyId: toHex(prekeyId),
    },
    messages: said.map((one, index) => sealed(one, recorded.messages?.[index]?.enc)),
  };
}

export type E2eVectors = ReturnType<typeof buildE2e>;

import { wordlist } from "@scure/bip39/wordlists/english.js";
import { fixed } from "./build.ts";
import * as ref from "./reference.ts";

const { b64, text, toHex, lp, L, H } = ref;

/** Eleven bits a word, bit by bit. */
export function words(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return [0, 1, 2, 3, 4, 5].map((index) => wordlist[Number.parseInt(bits.slice(index * 11, index * 11 + 11), 2)]).join(" ");
}

/** The walk as `fingerprint_randomart` of OpenSSH's sshkey.c does it. */
function randomart(raw: Uint8Array): string[] {
  const augmentation = " .o+=*BOX@%&#/^SE";
  const len = augmentation.length - 1;
  const field = Array.from({ length: 17 }, () => new Array<number>(9).fill(0));
  let x = 8;
  let y = 4;
  for (const byte of raw) {
    let input = byte;
    for (let b = 0; b < 4; b++) {
      x += input & 0x1 ? 1 : -1;
      y += input & 0x2 ? 1 : -1;
      x = x < 0 ? 0 : x > 16 ? 16 : x;
      y = y < 0 ? 0 : y > 8 ? 8 : y;
      const column = field[x] ?? [];
      if ((column[y] ?? 0) < len - 2) column[y] = (column[y] ?? 0) + 1;
      input >>= 2;
    }
  }
  (field[8] ?? [])[4] = len - 1;
  (field[x] ?? [])[y] = len;
  return Array.from({ length: 9 }, (_, row) => field.map((column) => augmentation[column[row] ?? 0]).join(""));
}

/** What a client makes of a server's key: fingerprint, words, picture; and how one key follows another. */
export function buildIdentity() {
  const seeds = ["identity one", "identity two", "identity three"].map((name) => fixed(name));
  const keys = seeds.map((seed) => ref.ed25519Public(seed));
  const raw = keys.map((key) => H(L("idkey"), key).subarray(0, 16));
  const terms = [
    { from: 1_795_000_000, until: 1_797_592_000 },
    { from: 1_796_000_000, until: 1_798_592_000 },
  ];
  const secret = fixed("words secret");
  const th = fixed("th ident");
  const cid = b64(fixed("cid ident", 16));
  const own = words(raw[0] ?? Buffer.alloc(16));
  const [seed = Buffer.alloc(0)] = seeds;
  const audit = { socket: "socket-1", first: 3, last: 17, hash: toHex(fixed("last block")), atMs: 1_795_000_000_000 };
  const { first, last, atMs } = audit;
  const saidOfAudit = Buffer.concat([
    lp(text(audit.socket)),
    ref.u64(first),
    ref.u64(last),
    lp(text(audit.hash)),
    ref.u64(atMs),
  ]);
  const [finish, policyHash] = [fixed("F of a receipt"), fixed("policy hash")];
  const receipt = { finish: b64(finish), sid: "sid-1", member: "bob", atMs, policyHash: b64(policyHash) };
  const saidOfReceipt = Buffer.concat([
    finish,
    lp(text(receipt.sid)),
    lp(text(receipt.member)),
    lp(text(String(atMs))),
    lp(policyHash),
  ]);
  return {
    identities: keys.map((key, index) => ({
      seed: toHex(seeds[index] ?? Buffer.alloc(0)),
      publicKey: toHex(key),
      fingerprint: b64(raw[index] ?? Buffer.alloc(0)),
      words: words(raw[index] ?? Buffer.alloc(16)),
      randomart: randomart(raw[index] ?? Buffer.alloc(0)),
    })),
    /** The first key is followed by the second, and that by the third, which signs bundles. */
    successions: terms.map(({ from, until }, index) => {
      const [key = Buffer.alloc(0), next = Buffer.alloc(0)] = keys.slice(index);
      const said = Buffer.concat([key, next, ref.u64(from), ref.u64(until)]);
      return { key: b64(key), from, until, sig: b64(ref.sign(seeds[index] ?? Buffer.alloc(0), "succession", said)) };
    }),
    /** Both signed by the first key. */
    statements: {
      audit: { ...audit, sig: b64(ref.sign(seed, "audit", saidOfAudit)) },
      receipt: { ...receipt, sig: b64(ref.sign(seed, "receipt", saidOfReceipt)) },
    },
    session: { secret: toHex(secret), words: words(secret) },
    proof: { th: toHex(th), cid, words: own, value: b64(H(L("ident"), th, lp(text(cid)), lp(text(own)))) },
  };
}

export type IdentityVectors = ReturnType<typeof buildIdentity>;

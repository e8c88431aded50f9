import { generateIdentity, generateKemKeyPair, signBundle } from "@portcullis/crypto";
import { encodeHello, type Hello, parseBundle, parseHello } from "@portcullis/protocol";

/** The hello with another bundle in it, the rest as it was. */
export function withBundle(hello: Hello, bundle: Uint8Array, sig: Uint8Array = hello.sig): string {
  return encodeHello({ ...hello, bundle, sig });
}

/** The bundle's JSON, changed; the signature is then nobody's. */
export function alterBundle(frame: string, change: (bundle: Record<string, unknown>) => unknown): string {
  const hello = parseHello(frame);
  const bundle = JSON.parse(Buffer.from(hello.bundle).toString("utf8")) as Record<string, unknown>;
  return withBundle(hello, Buffer.from(JSON.stringify(change(bundle))));
}

/** A hello of the attacker's own: their identity, their keys, their signature, everything consistent. */
export async function forgedHello(frame: string): Promise<string> {
  const hello = parseHello(frame);
  const { kid, exp } = parseBundle(hello.bundle);
  const { identity } = await generateIdentity();
  const pair = await generateKemKeyPair("0020");
  const { bundle, sig } = await signBundle(identity, { kid, exp, suites: { "0020": pair.publicKey } });
  return withBundle(hello, bundle, sig);
}

/** The server's own bundle under the attacker's identity: the right keys, vouched for by the wrong one. */
export async function reSignedHello(frame: string): Promise<string> {
  const hello = parseHello(frame);
  const { kid, exp, suites } = parseBundle(hello.bundle);
  const { identity } = await generateIdentity();
  const { bundle, sig } = await signBundle(identity, { kid, exp, suites });
  return withBundle(hello, bundle, sig);
}

import { randomBytes, randomInt } from "node:crypto";
import type { Owner } from "../local/owner.ts";
import { type Authenticator, scan } from "./authenticator.ts";
import type { Canary } from "./canaries.ts";

export interface DemoMember {
  readonly name: string;
  /** Shows the code of now, and remembers it: what was shown must not be found in the recording. */
  readonly phone: { show(): string; readonly shown: readonly string[] };
}

/** What the owner made for the demo. */
export interface World {
  readonly socketId: string;
  readonly appKey: string;
  /** Looks right, names the same key and server, and holds another secret. */
  readonly wrongKey: string;
  /** Goes through the recorder. */
  urlFor(member: string): string;
  readonly alice: DemoMember;
  readonly bob: DemoMember;
  readonly messageCanary: Canary & { readonly text: string };
  /** All that nobody between client and edge may see, codes shown so far included. */
  secrets(): Canary[];
}

export async function makeWorld(owner: Owner, recorderPort: number): Promise<World> {
  const socket = await owner.post<{ id: string; url: string }>("/v1/sockets", {
    label: `demo-${randomBytes(4).toString("hex")}`,
    path: `way-in-${randomBytes(9).toString("hex")}`,
    policy: { gates: [{ gate: "key" }, { gate: "otp" }] },
  });
  const { key: appKey } = await owner.post<{ key: string }>(`/v1/sockets/${socket.id}/keys`, { label: "demo" });
  const [version = "", keyId = "", secret = "", fingerprint = ""] = appKey.split(".");
  const planted: Canary[] = [{ name: "app key", values: [secret, Buffer.from(secret, "base64url")] }];

  const members: DemoMember[] = [];
  async function member(name: string): Promise<DemoMember> {
    const mailbox = `canary-${randomBytes(8).toString("hex")}`;
    const number = `${randomInt(10 ** 9, 10 ** 10)}`;
    await owner.post(`/v1/sockets/${socket.id}/members`, {
      name,
      contacts: { email: `${mailbox}@example.com`, phone: `+4930${number}` },
    });
    const { uri } = await owner.post<{ uri: string }>(`/v1/sockets/${socket.id}/members/${name}/authenticator`);
    const authenticator = scan(uri);
    planted.push(
      { name: `e-mail address of ${name}`, values: [mailbox] },
      { name: `phone number of ${name}`, values: [number] },
      { name: `authenticator secret of ${name}`, values: [authenticator.secret.text, authenticator.secret.bytes] },
    );
    const made = { name, phone: createPhone(authenticator) };
    members.push(made);
    return made;
  }

  const text = `message-canary-${randomBytes(12).toString("hex")}`;
  return {
    socketId: socket.id,
    appKey,
    wrongKey: [version, keyId, randomBytes(32).toString("base64url"), fingerprint].join("."),
    urlFor(name) {
      const { pathname } = new URL(socket.url);
      return `ws://127.0.0.1:${recorderPort}${pathname}?id=${name}`;
    },
    alice: await member("alice"),
    bob: await member("bob"),
    messageCanary: { name: "message", values: [text], text },
    secrets: () => [
      ...planted,
      ...members.map(({ name, phone }) => ({ name: `codes of ${name}`, values: [...phone.shown] })),
    ],
  };
}

function createPhone(authenticator: Authenticator): DemoMember["phone"] {
  const shown = new Set<string>();
  return {
    show() {
      const code = authenticator.code(Date.now());
      shown.add(code);
      return code;
    },
    get shown() {
      return [...shown];
    },
  };
}

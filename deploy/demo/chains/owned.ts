import { randomBytes, randomInt } from "node:crypto";
import { scan } from "../authenticator.ts";
import type { Canary } from "../canaries.ts";
import { type Inbox, openInbox } from "../inbox.ts";
import type { Stage } from "../stage.ts";

/** A socket that the owner made for a chain. */
export interface OwnedSocket {
  readonly id: string;
  readonly url: string;
  readonly appKey: string;
  /** What nobody between client and edge may see. */
  readonly canaries: readonly Canary[];
}

export interface OwnedMember {
  readonly name: string;
  readonly passphrase: string;
  readonly answerSecret: string;
  readonly inbox: Inbox;
  /** The code that the member's authenticator app shows now. @throws {Error} there is no such app */
  code(): string;
  /** Likewise, codes and messages so far included. */
  canaries(): Canary[];
}

export async function makeSocket({ owner }: Stage, policy: object): Promise<OwnedSocket> {
  const made = await owner.post<{ id: string; url: string }>("/v1/sockets", {
    label: `demo-${randomBytes(4).toString("hex")}`,
    path: `fancy-app-path-${randomBytes(9).toString("hex")}`,
    policy,
  });
  const { key: appKey } = await owner.post<{ key: string }>(`/v1/sockets/${made.id}/keys`, { label: "demo" });
  const [, , secret = ""] = appKey.split(".");
  return { ...made, appKey, canaries: [{ name: "app key", values: [secret, Buffer.from(secret, "base64url")] }] };
}

/** @param has.authenticator an app, which is then asked for whatever the policy says. Default false. */
export async function makeMember(
  stage: Stage,
  { id }: OwnedSocket,
  name: string,
  has: { readonly authenticator?: boolean } = {},
): Promise<OwnedMember> {
  const { owner } = stage;
  const mailbox = `canary-${randomBytes(8).toString("hex")}`;
  const number = `${randomInt(10 ** 9, 10 ** 10)}`;
  const contacts = { email: `${mailbox}@example.com`, phone: `+4930${number}` };
  const passphrase = randomBytes(18).toString("base64url");
  await owner.post(`/v1/sockets/${id}/members`, { name, contacts, passphrase });
  const path = `/v1/sockets/${id}/members/${name}`;
  const { secret: answerSecret } = await owner.post<{ secret: string }>(`${path}/answer-secret`);
  const [, answerKey = ""] = answerSecret.split(".");
  const inbox = openInbox(stage, contacts);
  const shown = new Set<string>();
  const app = has.authenticator ? scan((await owner.post<{ uri: string }>(`${path}/authenticator`)).uri) : null;
  return {
    name,
    passphrase,
    answerSecret,
    inbox,
    code() {
      if (app === null) throw new Error(`${name} has no authenticator`);
      const code = app.code(Date.now());
      shown.add(code);
      return code;
    },
    canaries: () => [
      { name: `e-mail address of ${name}`, values: [mailbox] },
      { name: `phone number of ${name}`, values: [number] },
      { name: `passphrase of ${name}`, values: [passphrase] },
      { name: `answer secret of ${name}`, values: [answerKey, Buffer.from(answerKey, "base64url")] },
      ...(app === null
        ? []
        : [{ name: `authenticator secret of ${name}`, values: [app.secret.text, app.secret.bytes] }]),
      ...(shown.size === 0 ? [] : [{ name: `codes of ${name}`, values: [...shown] }]),
      ...(inbox.secrets.length === 0 ? [] : [{ name: `messages to ${name}`, values: [...inbox.secrets] }]),
    ],
  };
}

import { randomBytes, randomInt } from "node:crypto";
import { type Authenticator, scan } from "./authenticator.ts";
import type { Canary } from "./canaries.ts";
import { type Inbox, openInbox } from "./inbox.ts";
import type { Stage } from "./stage.ts";

export interface DemoMember {
  readonly name: string;
  /** Shows the code of now, and remembers it: what was shown must not be found in the recording. */
  readonly phone: { show(): string; readonly shown: readonly string[] };
  /** Where messages to this member arrive. */
  readonly inbox: Inbox;
  /** `pa1.…`: with it the member's program answers the question. */
  readonly answerSecret: string;
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

/** The whole chain: key, one-time code, a message that somebody confirms, a question. */
const gates = [
  { gate: "key" },
  { gate: "otp" },
  {
    anyOf: [
      { gate: "email", by: "link" },
      { gate: "sms", by: "code" },
    ],
  },
  { gate: "question", kind: "excerpt" },
];

/** @param sealed whether messages are. */
export async function makeWorld(stage: Stage, recorderPort: number, sealed: boolean): Promise<World> {
  const { owner } = stage;
  const socket = await owner.post<{ id: string; url: string }>("/v1/sockets", {
    label: `demo-${randomBytes(4).toString("hex")}`,
    path: `way-in-${randomBytes(9).toString("hex")}`,
    policy: {
      gates,
      encryption: { session: sealed ? "required" : "none" },
      messaging: { history: { messages: 20 } },
    },
  });
  const { key: appKey } = await owner.post<{ key: string }>(`/v1/sockets/${socket.id}/keys`, { label: "demo" });
  const [version = "", keyId = "", secret = "", fingerprint = ""] = appKey.split(".");
  const planted: Canary[] = [{ name: "app key", values: [secret, Buffer.from(secret, "base64url")] }];
  const members = [await makeMember(stage, socket.id, "alice"), await makeMember(stage, socket.id, "bob")] as const;
  for (const { canaries } of members) planted.push(...canaries);
  const [{ member: alice }, { member: bob }] = members;
  const text = `message-canary-${randomBytes(12).toString("hex")}`;
  return {
    socketId: socket.id,
    appKey,
    wrongKey: [version, keyId, randomBytes(32).toString("base64url"), fingerprint].join("."),
    urlFor(name) {
      const { pathname } = new URL(socket.url);
      return `ws://127.0.0.1:${recorderPort}${pathname}?id=${name}`;
    },
    alice,
    bob,
    messageCanary: { name: "message", values: [text], text },
    secrets: () => [
      ...planted,
      ...[alice, bob].flatMap(({ name, phone, inbox }) => [
        { name: `codes of ${name}`, values: [...phone.shown] },
        { name: `messages to ${name}`, values: [...inbox.secrets] },
      ]),
    ],
  };
}

async function makeMember(stage: Stage, socketId: string, name: string) {
  const { owner } = stage;
  const mailbox = `canary-${randomBytes(8).toString("hex")}`;
  const number = `${randomInt(10 ** 9, 10 ** 10)}`;
  const contacts = { email: `${mailbox}@example.com`, phone: `+4930${number}` };
  await owner.post(`/v1/sockets/${socketId}/members`, { name, contacts });
  const path = `/v1/sockets/${socketId}/members/${name}`;
  const { uri } = await owner.post<{ uri: string }>(`${path}/authenticator`);
  const { secret: answerSecret } = await owner.post<{ secret: string }>(`${path}/answer-secret`);
  const authenticator = scan(uri);
  const [, answerKey = ""] = answerSecret.split(".");
  const canaries: Canary[] = [
    { name: `e-mail address of ${name}`, values: [mailbox] },
    { name: `phone number of ${name}`, values: [number] },
    { name: `authenticator secret of ${name}`, values: [authenticator.secret.text, authenticator.secret.bytes] },
    { name: `answer secret of ${name}`, values: [answerKey, Buffer.from(answerKey, "base64url")] },
  ];
  const inbox = openInbox(stage, contacts);
  const member: DemoMember = { name, phone: createPhone(authenticator), inbox, answerSecret };
  return { member, canaries };
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

import {
  type AuthenticatorSubject,
  assertMemberPasskey,
  assertPasskey,
  beginPasskey,
  finishPasskey,
  forgetPasskey,
  type PasskeyView,
  readPasskeys,
} from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";

/** In the place of the passkeys of `factors`: a response with `id` is a passkey's of that id, and signs whatever it is asked to. */
export interface FakePasskeys {
  /** By the JSON of the subject. */
  readonly of: Map<string, PasskeyView[]>;
  /** What was asked about members' passkeys. */
  readonly asserted: {
    readonly challenge: Uint8Array;
    readonly relyingParty: string;
    readonly origin: string;
    readonly requestId: string;
    readonly subject: AuthenticatorSubject | null;
  }[];
  /** Called between the assertion and its answer. */
  beforeAnswer: () => Promise<unknown> | undefined;
}

export async function servePasskeys({ server, clock }: Platform): Promise<FakePasskeys> {
  const of = new Map<string, PasskeyView[]>();
  const fake: FakePasskeys = { of, asserted: [], beforeAnswer: () => undefined };
  const all = (subject: AuthenticatorSubject) => of.get(JSON.stringify(subject)) ?? [];
  const set = (subject: AuthenticatorSubject, passkeys: PasskeyView[]) => of.set(JSON.stringify(subject), passkeys);

  await server.serve(beginPasskey, ({ relyingParty, account }) => ({
    registrationId: "registration",
    options: { rp: { id: relyingParty }, user: { name: account } },
  }));
  await server.serve(finishPasskey, ({ subject, response, label, origin }) => {
    if (typeof response.id !== "string") return { passkey: null };
    const relyingParty = new URL(origin).hostname;
    const made = { id: response.id, label, relyingParty, synced: false, createdAtMs: clock(), lastUsedAtMs: null };
    set(subject, [...all(subject), made]);
    return { passkey: made };
  });
  await server.serve(readPasskeys, ({ subject }) => ({ passkeys: all(subject) }));
  await server.serve(forgetPasskey, ({ subject, passkeyId }) => {
    const left = passkeyId === null ? [] : all(subject).filter(({ id }) => id !== passkeyId);
    const existed = left.length < all(subject).length;
    set(subject, left);
    return { existed, left: left.length };
  });
  await server.serve(assertPasskey, async ({ response }) => {
    const found = [...of].find(([, passkeys]) => passkeys.some(({ id }) => id === response.id));
    await fake.beforeAnswer();
    const subject = found === undefined ? null : (JSON.parse(found[0]) as AuthenticatorSubject);
    return subject?.of === "owner"
      ? { ownerId: subject.ownerId, passkeyId: String(response.id) }
      : { ownerId: null, passkeyId: null };
  });
  await server.serve(assertMemberPasskey, async ({ response, relyingParty, subject, ...asked }) => {
    fake.asserted.push({ ...asked, relyingParty, subject });
    const theirs = subject === null ? [] : all(subject);
    const isTheirs = theirs.some((one) => one.id === response.id && one.relyingParty === relyingParty);
    await fake.beforeAnswer();
    return { isTheirs };
  });
  return fake;
}

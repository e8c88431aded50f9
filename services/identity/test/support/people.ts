import { acceptInvitation, invitePerson, verifyEmail } from "@portcullis/contracts";
import { vi } from "vitest";
import type { World } from "./world.ts";

export interface Account {
  readonly ownerId: string;
  readonly email: string;
}

/** What the newest mail of that subject to that address has as its token, of those after the first so many. */
export function tokenTo(world: World, subject: RegExp, email: string, after = 0): Promise<string> {
  return vi.waitFor(
    () => {
      const mail = world.mails.slice(after).findLast((each) => each.to === email && subject.test(each.subject));
      const token = /^ {2}([\w-]+\.[\w-]+)$/m.exec(mail?.text ?? "")?.[1];
      if (token === undefined) throw new Error(`no mail ${subject} came`);
      return token;
    },
    { interval: 5, timeout: 3_000 },
  );
}

/** An account whose address is confirmed. */
export async function account(world: World, email: string): Promise<Account> {
  const { ownerId } = await world.owner(email);
  await world.api.call(verifyEmail, { ownerId, token: await tokenTo(world, /Confirm/, email) });
  return { ownerId, email };
}

/** @returns the token that came by mail. */
export async function invite(
  world: World,
  mine: { readonly ownerId: string; readonly socketId: string },
  email: string,
  role: "viewer" | "approver" = "approver",
): Promise<string> {
  const after = world.mails.length;
  await world.api.call(invitePerson, { ...mine, email, role });
  return tokenTo(world, /invited/, email, after);
}

export async function join(
  world: World,
  mine: { readonly ownerId: string; readonly socketId: string },
  { ownerId, email }: Account,
  role: "viewer" | "approver" = "approver",
): Promise<void> {
  const token = await invite(world, mine, email, role);
  await world.api.call(acceptInvitation, { ownerId, token });
}

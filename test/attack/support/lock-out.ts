import type { Authenticator } from "../../../deploy/demo/authenticator.ts";
import { knock } from "./knock.ts";

/** The shortest way to a lockout: the second wrong code. */
export const lockout = { attempts: 2, then: "lockout", free: 1, work: 0, lockout: { after: 2, for: "1h" } };

/** As whoever has the key and not the code. */
export async function lockOut(url: string, appKey: string, phone: Authenticator, now: number): Promise<void> {
  const guesser = await knock(url, { appKey });
  for (const [at, value] of wrongCodes(phone, now).entries()) {
    const { cid } = await guesser.challenge();
    await guesser.say({ n: at + 1, t: "answer", cid, gate: "otp", value });
  }
  const last = await guesser.hear();
  if (last?.t !== "denied") throw new Error("nobody was locked out");
  await guesser.closed;
}

function wrongCodes(phone: Authenticator, now: number): string[] {
  const near = [-60_000, -30_000, 0, 30_000, 60_000].map((driftMs) => phone.code(now + driftMs));
  const all = ["000000", "111111", "222222", "333333", "444444", "555555", "666666"];
  return all.filter((code) => !near.includes(code)).slice(0, lockout.attempts);
}

import {
  checkCode,
  confirmSecret,
  enrolSecret,
  forgetAnswerRule,
  forgetAnswerSecret,
  forgetSecret,
  forgetSocketSecrets,
  mintAnswerSecret,
  ServiceError,
  setAnswerRule,
} from "@portcullis/contracts";
import { formatAnswerSecret } from "@portcullis/crypto";
import type { Platform } from "@portcullis/platform";
import type { PasskeyStore } from "../passkeys/store.ts";
import type { SignStore } from "../signs/store.ts";
import type { AnswerRules } from "./answer-rules.ts";
import type { Codes } from "./codes.ts";
import type { AuthenticatorStore } from "./store.ts";
import { otpauthUri } from "./uri.ts";

/** Answers the `factors.authenticators.*` contracts. */
export async function serveAuthenticators(
  server: Platform["server"],
  {
    store,
    answerSecrets,
    answerRules,
    signs,
    codes,
    passkeys,
  }: {
    readonly signs: Pick<SignStore, "forgetSocket">;
    readonly store: AuthenticatorStore;
    readonly answerSecrets: AuthenticatorStore;
    readonly answerRules: AnswerRules;
    readonly codes: Codes;
    readonly passkeys: Pick<PasskeyStore, "forgetSocket">;
  },
): Promise<void> {
  await server.serve(enrolSecret, async ({ subject, issuer, account, active }) => {
    const secret = await store.enrol(subject, active ? "active" : "pending");
    const uri = otpauthUri({ issuer, account, secret });
    secret.fill(0);
    return { uri };
  });

  await server.serve(confirmSecret, async ({ subject, code }, { requestId }) => {
    const used = await codes.use({ subject, status: "pending", code, holder: `confirm:${requestId}` });
    if (!used.ok) return { ok: false };
    // The code is used up, but it was of an enrolment that somebody replaced meanwhile.
    if (!(await store.activate(subject, used.enrolmentId))) throw new ServiceError("conflict");
    return { ok: true };
  });

  await server.serve(checkCode, async ({ subject, code, requestId }) => {
    // No handshake has such a holder: a handshake's id holds a dot before its colon.
    const { ok } = await codes.use({ subject, status: "active", code, holder: `check:${requestId}` });
    return { ok };
  });

  await server.serve(forgetSecret, async ({ subject }) => ({ existed: await store.forget(subject) }));

  await server.serve(forgetSocketSecrets, async ({ socketId }) => {
    await store.forgetSocket(socketId);
    await answerSecrets.forgetSocket(socketId);
    await answerRules.forgetSocket(socketId);
    await passkeys.forgetSocket(socketId);
    await signs.forgetSocket(socketId);
    return {};
  });

  await server.serve(mintAnswerSecret, async ({ socketId, member }) => {
    const secret = await answerSecrets.enrol({ of: "member", socketId, member }, "active");
    const text = formatAnswerSecret(secret);
    secret.fill(0);
    return { secret: text };
  });

  await server.serve(setAnswerRule, async ({ socketId, member, rule }) => ({
    rule: await answerRules.set({ of: "member", socketId, member }, rule),
  }));

  await server.serve(forgetAnswerRule, async ({ socketId, member }) => ({
    existed: await answerRules.forget({ of: "member", socketId, member }),
  }));

  await server.serve(forgetAnswerSecret, async ({ socketId, member }) => ({
    existed: await answerSecrets.forget({ of: "member", socketId, member }),
  }));
}

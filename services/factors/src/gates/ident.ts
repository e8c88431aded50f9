import { isWordsProof } from "@portcullis/crypto";
import { fingerprintWords } from "@portcullis/crypto/words";
import { z } from "zod";
import { lineupOf } from "../signs/lineup.ts";
import type { Gate, GateContext } from "./gate.ts";

const config = z.strictObject({ ask: z.enum(["none", "agree", "type", "pick"]) });

/**
 * The person makes sure of the server. What is answered shows nothing of who they are: it is for them, and whoever's client lies about it
 * deceives nobody but its own user.
 */
export const ident: Gate = {
  name: "ident",

  async prepare({ proven, ...context }, given) {
    const { ask } = config.parse(given);
    // To who found a key, or to who sits between, a sign would be worth having: they could show it to the member.
    const mayBeShown = proven.key && proven.memberBound;
    const sign = await signOf(context, mayBeShown);
    if (ask !== "pick") return sign === null ? { ask } : { ask, sign: sign.art };
    return sign === null ? null : { ask, signs: lineupOf(sign, context.cid).signs };
  },

  async verify(context, item) {
    const { cid, transcript, identities } = context;
    const parsed = config.safeParse(item.config);
    if (!parsed.success) return { ok: false, cause: "config" };
    // What nobody was shown, nobody has recognised.
    if (cid === null) return { ok: false, cause: "unasked" };
    switch (parsed.data.ask) {
      case "none":
        return judged(item.value === "seen");
      case "agree":
        return judged(item.value === "agree");
      case "type": {
        // Cards outlive a key for as long as its succession counts.
        const prints = await identities();
        const proofs = prints.map((print) => ({ th: transcript, cid, words: fingerprintWords(print) }));
        const matches = await Promise.all(proofs.map((proof) => isWordsProof(proof, item.value)));
        return judged(matches.includes(true));
      }
      case "pick": {
        const sign = await signOf(context, true);
        if (sign === null) return { ok: false, cause: "unknown" };
        return judged(item.value === `${lineupOf(sign, cid).own}`);
      }
    }
  },
};

function signOf({ socketId, memberId, signs }: Omit<GateContext, "proven">, mayBeShown: boolean) {
  return signs.find(memberId === null || !mayBeShown ? null : { socketId, member: memberId });
}

function judged(ok: boolean): { ok: boolean; cause: string | null } {
  return { ok, cause: ok ? null : "wrong" };
}

import { verifyFactors } from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import { meterFor } from "@portcullis/runtime";
import type { Codes } from "../authenticators/codes.ts";
import type { Gate, GateResult } from "./gate.ts";

/** Answers `factors.verify`. */
export async function serveGates(
  { server, clock, log }: Pick<Platform, "server" | "clock" | "log">,
  { gates, codes }: { readonly gates: ReadonlyMap<string, Gate>; readonly codes: Codes },
): Promise<void> {
  const verifications = meterFor("factors").createCounter("portcullis.factors.verifications", {
    description: "Answers judged, by gate and by outcome (ok, or the cause of the refusal)",
  });

  await server.serve(verifyFactors, async ({ hid, socketId, memberId, items }) => {
    const results: (GateResult & { readonly ref: string })[] = [];
    // One after the other: of two answers that need the same code, the first in the policy's order gets it.
    for (const { ref, gate: name, config, value } of items) {
      const gate = gates.get(name);
      if (gate === undefined) log.error("asked to verify a gate that is not here", { gate: name });
      const result =
        gate === undefined
          ? { ok: false, cause: "gate" }
          : await gate.verify({ hid, socketId, memberId, clock, codes }, { ref, config, value });
      verifications.add(1, { gate: gate?.name ?? "unknown", outcome: result.cause ?? "ok" });
      results.push({ ref, ...result });
    }
    return { results };
  });
}

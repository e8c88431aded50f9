import { verifyFactors } from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import { meterFor } from "@portcullis/runtime";
import type { Gate, GateContext, GateResult } from "./gate.ts";

/** Answers `factors.verify`. */
export async function serveGates(
  { server, clock, log }: Pick<Platform, "server" | "clock" | "log">,
  {
    gates,
    ...means
  }: { readonly gates: ReadonlyMap<string, Gate> } & Pick<GateContext, "codes" | "waits" | "answerSecrets">,
): Promise<void> {
  const verifications = meterFor("factors").createCounter("portcullis.factors.verifications", {
    description: "Answers judged, by gate and by outcome (ok, or the cause of the refusal)",
  });

  await server.serve(verifyFactors, async ({ items, ...where }) => {
    const results: (GateResult & { readonly ref: string })[] = [];
    // One after the other: of two answers that need the same code, the first in the policy's order gets it.
    for (const { gate: name, ...item } of items) {
      const gate = gates.get(name);
      if (gate === undefined) log.error("asked to verify a gate that is not here", { gate: name });
      const result =
        gate === undefined ? { ok: false, cause: "gate" } : await gate.verify({ ...where, ...means, clock }, item);
      verifications.add(1, { gate: gate?.name ?? "unknown", outcome: result.cause ?? "ok" });
      results.push({ ref: item.ref, ...result });
    }
    return { results };
  });
}

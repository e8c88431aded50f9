import { prepareFactors, ServiceError, verifyFactors } from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import { meterFor } from "@portcullis/runtime";
import type { Gate, GateContext, GateResult } from "./gate.ts";

/** Answers `factors.verify` and `factors.prepare`. */
export async function serveGates(
  { server, clock, log }: Pick<Platform, "server" | "clock" | "log">,
  {
    gates,
    ...means
  }: { readonly gates: ReadonlyMap<string, Gate> } & Pick<
    GateContext,
    "codes" | "waits" | "answerSecrets" | "passkeys" | "asker"
  >,
): Promise<void> {
  const verifications = meterFor("factors").createCounter("portcullis.factors.verifications", {
    description: "Answers judged, by gate and by outcome (ok, or the cause of the refusal)",
  });

  await server.serve(prepareFactors, async ({ items, ...where }) => {
    const context = { ...where, ...means, clock };
    // All at once: one that has to ask elsewhere keeps nobody waiting but for itself.
    const prompts = items.map(async ({ gate: name, config }) => {
      const prepare = gates.get(name)?.prepare;
      if (prepare === undefined) throw new ServiceError("invalid");
      return prepare(context, config).catch((error: unknown) => {
        log.error("a question could not be made", { gate: name }, error);
        return null;
      });
    });
    return { prompts: await Promise.all(prompts) };
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

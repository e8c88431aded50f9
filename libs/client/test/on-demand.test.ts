import { expect, it } from "vitest";
import { onDemand } from "../src/on-demand.ts";

it("a part that cannot be loaded is told as that, and not as a server that is not there", async () => {
  const missing = onDemand(() => Promise.reject(new TypeError("Failed to fetch https://app.example.com/words-1.js")));
  await expect(missing).rejects.toMatchObject({
    code: "unreachable",
    retryable: true,
    message: "A part of the SDK could not be loaded: a bundler makes files of them, to be served beside the rest.",
  });
});

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { rolldown } from "rolldown";

/** @param more arguments of its own */
export function launchBrowser(executablePath: string, more: readonly string[] = []): Promise<Browser> {
  // Its sandbox refuses root, which is what a CI container is. It looks up hosts of its own otherwise.
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
  return chromium.launch({
    executablePath,
    args: [...quiet, "--disable-quic", "--disable-gpu", ...more],
    chromiumSandbox: false,
  });
}

/** Serves a page with `page.ts` as its script, rolled up as an application would: what the SDK loads on demand are files of their own. */
export async function servePage(): Promise<{ readonly url: string; close(): void }> {
  const bundle = await rolldown({ input: join(import.meta.dirname, "page.ts"), platform: "browser" });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  const scripts = new Map(
    output.filter((file) => file.type === "chunk").map(({ fileName, code }) => [`/${fileName}`, code]),
  );
  const server = createServer((request, response) => {
    const script = scripts.get(request.url ?? "");
    response.setHeader("content-type", script === undefined ? "text/html" : "text/javascript");
    response.end(script ?? '<!doctype html><title>SDK</title><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

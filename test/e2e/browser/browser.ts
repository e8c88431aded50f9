import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
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

const types: Readonly<Record<string, string>> = { ".js": "text/javascript", ".css": "text/css" };

/** What is served: a script, and around it a page. */
export interface Served {
  readonly url: string;
  close(): void;
}

/**
 * Serves a page with this script, rolled up as an application would: what the SDK loads on demand are files of their own.
 *
 * @param given.script below this folder @param given.files what else there is, by path; "/" is the page itself @param given.headers of every answer
 */
export async function servePage(
  given: {
    readonly script?: string;
    readonly files?: ReadonlyMap<string, string>;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<Served> {
  const { script = "page.ts", files = new Map(), headers = {} } = given;
  const bundle = await rolldown({ input: join(import.meta.dirname, script), platform: "browser" });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  const scripts = output.filter((file) => file.type === "chunk");
  const served = new Map([
    ["/", '<!doctype html><title>SDK</title><script type="module" src="/page.js"></script>'],
    ...files,
    ...scripts.map(({ fileName, code }) => [`/${fileName}`, code] as const),
  ]);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const text = served.get(pathname);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.setHeader("content-type", types[extname(pathname)] ?? "text/html");
    response.statusCode = text === undefined ? 404 : 200;
    response.end(text);
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

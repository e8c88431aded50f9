import { execFile } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";

/** A Kubernetes object as it would be applied. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  /** Of a ConfigMap or a Secret. */
  readonly data?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

const run = promisify(execFile);
const repository = join(import.meta.dirname, "..", "..");
/** What builds an overlay, the first that is there. Go fetches the program by itself, once. */
const builders: readonly (readonly [string, ...string[]])[] = [
  ["kubectl", "kustomize"],
  ["kustomize", "build"],
  ["go", "run", "sigs.k8s.io/kustomize/kustomize/v5@v5.5.0", "build"],
];

/** @returns null where nothing that builds overlays can be had. @throws what the overlay has that cannot be built */
export async function buildOverlay(name: string): Promise<Manifest[] | null> {
  const builder = await findBuilder();
  if (builder === null) return null;
  const folder = await mkdtemp(join(tmpdir(), "portcullis-k8s-"));
  try {
    await cp(join(repository, "k8s"), folder, { recursive: true, filter: (source) => !source.endsWith("/secrets") });
    const overlay = join(folder, "overlays", name);
    await run(process.execPath, [
      "--disable-warning=ExperimentalWarning",
      join(repository, "deploy", "compose", "prepare.ts"),
      "--folder",
      join(overlay, "secrets"),
    ]);
    const [program, ...args] = builder;
    const { stdout } = await run(program, [...args, overlay], { maxBuffer: 2 ** 24, timeout: 120_000 });
    return parseAllDocuments(stdout).map((document) => unfolded(document.toJS() as Manifest));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** kustomize folds what is long; the API reads base64 past the ends of lines, a schema does not. */
function unfolded(manifest: Manifest): Manifest {
  if (manifest.kind !== "Secret") return manifest;
  const data = Object.entries(manifest.data ?? {});
  return { ...manifest, data: Object.fromEntries(data.map(([name, text]) => [name, text.replace(/\s/g, "")])) };
}

async function findBuilder(): Promise<readonly [string, ...string[]] | null> {
  for (const builder of builders) {
    const [program, ...args] = builder;
    const works = await run(program, [...args, "--help"], { timeout: 120_000 }).then(
      () => true,
      () => false,
    );
    if (works) return builder;
  }
  return null;
}

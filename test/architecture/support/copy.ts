import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

export interface Copy {
  readonly folder: string;
  /** Runs a program in it. @returns what it printed. @throws with what it printed where it fails */
  run(program: string, args: readonly string[]): Promise<string>;
  /** Runs a TypeScript file of it. */
  node(...args: readonly string[]): Promise<string>;
  git(...args: readonly string[]): Promise<string>;
}

/**
 * A repository of its own with the files that are here now, committed or not, as its only commit. Packages are those that are installed
 * here, but for the workspaces: these are the copy's.
 */
export async function copyRepository(root: string): Promise<Copy> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "portcullis-copy-")));
  // Where a hook of git runs this, its variables would send every command to the repository of the hook.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
  const runIn = (cwd: string) => async (program: string, args: readonly string[]) => {
    const { stdout } = await execute(program, [...args], { cwd, env, maxBuffer: 2 ** 26 });
    return stdout;
  };
  const run = runIn(folder);
  const git = (...args: readonly string[]) =>
    run("git", ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", ...args]);

  const listed = await runIn(root)("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  // What is deleted here and not yet committed is still listed.
  for (const file of listed.split("\0").filter((name) => name !== "" && existsSync(join(root, name)))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    copyFileSync(join(root, file), join(folder, file));
  }
  for (const place of ["", ...workspaces(root)]) linkPackages(join(root, place), join(folder, place));
  for (const place of workspaces(root)) {
    const name = place.split("/")[1] ?? "";
    symlinkSync(join(folder, place), join(folder, "node_modules/@portcullis", name), "junction");
  }
  await git("init", "--quiet");
  await git("add", "--all");
  await git("commit", "--quiet", "--no-verify", "--message", "Copy");
  return {
    folder,
    run,
    node: (...args) => run(process.execPath, ["--disable-warning=ExperimentalWarning", ...args]),
    git,
  };
}

function workspaces(root: string): string[] {
  return ["libs", "services"].flatMap((kind) =>
    readdirSync(join(root, kind))
      .filter((name) => existsSync(join(root, kind, name, "package.json")))
      .map((name) => `${kind}/${name}`),
  );
}

function linkPackages(from: string, to: string): void {
  const modules = join(from, "node_modules");
  if (!existsSync(modules)) return;
  mkdirSync(join(to, "node_modules/@portcullis"), { recursive: true });
  for (const name of readdirSync(modules).filter((each) => each !== "@portcullis"))
    symlinkSync(join(modules, name), join(to, "node_modules", name));
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Problem } from "./graph.ts";

interface TextRule {
  readonly rule: string;
  readonly why: string;
  readonly files: RegExp;
  readonly except?: RegExp;
  readonly pattern: RegExp;
}

const textRules: readonly TextRule[] = [
  {
    rule: "environment-in-config",
    why: "only config.ts reads the environment",
    files: /^(libs|services)\/[^/]+\/src\//,
    except: /\/config\.ts$/,
    pattern: /\bprocess\s*(\?\.|\.|\[)\s*["']?env\b|\bloadEnvFile\b|["'](node:)?process["']/,
  },
  {
    rule: "browser-safe-globals",
    why: "a browser has no such global",
    files: /^libs\/(protocol|crypto|policy|client)\/src\//,
    except: /^libs\/crypto\/src\/native\//,
    pattern: /(?<![.\w"'])(Buffer|setImmediate|__dirname|__filename|require|process|global)\s*(\?\.|[.([])/,
  },
];

/** What no import shows: globals, looked for in the text without its comments. */
export function textProblems(root: string, files: readonly string[]): Problem[] {
  return files.flatMap((file) => {
    const applicable = textRules.filter(({ files: some, except }) => some.test(file) && !except?.test(file));
    if (applicable.length === 0) return [];
    const lines = withoutComments(readFileSync(join(root, file), "utf8")).split("\n");
    return applicable.flatMap(({ rule, why, pattern }) =>
      lines.flatMap((line, index) =>
        pattern.test(line) ? [{ rule, what: `${file}:${index + 1}: ${line.trim().slice(0, 100)} (${why})` }] : [],
      ),
    );
  });
}

/** Keeps the lines where they are. A `//` counts only after a space, so that URLs in strings stay. */
function withoutComments(text: string): string {
  return text
    .replace(/(?<=^|\s)\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ""))
    .replace(/(^|\s)\/\/.*$/gm, "$1");
}

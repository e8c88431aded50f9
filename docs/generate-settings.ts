import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { apiConfig } from "@portcullis/api";
import { edgeConfig } from "@portcullis/edge";
import { factorsConfig } from "@portcullis/factors";
import { identityConfig } from "@portcullis/identity";
import { keysConfig } from "@portcullis/keys";
import { notifyConfig } from "@portcullis/notify";
import { distributedConfig } from "@portcullis/platform";
import { renderConfigHelp } from "@portcullis/runtime";
import { embeddedHelp } from "../deploy/local/embedded-config.ts";
import { cell, table } from "./marked-part.ts";

const root = join(import.meta.dirname, "..");

/** What most people set first; the rest is for operators. */
const inReadme = ["PORT", "EDGE_PORT", "DATA_DIR", "DEMO", "SIGN_UP", "PUBLIC_URL", "SMTP_URL", "LOG_LEVEL"];

interface Setting {
  readonly name: string;
  readonly meaning: string;
  readonly allowed: string;
  /** `default 8080`, `required`, `may be unset`. */
  readonly otherwise: string;
}

/** Reads what `renderConfigHelp` wrote: a name, and below it two indented lines. */
function settingsIn(help: string): Setting[] {
  const blocks = help.matchAll(
    /^(?<name>[A-Z][A-Z0-9_]*)\n {4}(?<meaning>.+)\n {4}(?<allowed>.+); (?<otherwise>.+)\.$/gm,
  );
  return [...blocks].map(({ groups = {} }) => {
    const { name = "", meaning = "", allowed = "", otherwise = "" } = groups;
    // `; secret` comes last, after what happens without the setting.
    const [range, state] = otherwise === "secret" ? splitLast(allowed) : [allowed, otherwise];
    return { name, meaning, allowed: range, otherwise: otherwise === "secret" ? `${state}, secret` : state };
  });
}

function splitLast(text: string): [string, string] {
  const at = text.lastIndexOf("; ");
  return [text.slice(0, at), text.slice(at + 2)];
}

const startDistributedHelp = () =>
  execFileSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(root, "deploy/local/start-distributed.ts"), "--help"],
    { encoding: "utf8" },
  );

/** Who reads what. Two readers that say the same of a setting share a row. */
function rows(): { readonly setting: Setting; readonly readers: string[] }[] {
  const helps: (readonly [string, string])[] = [
    ["`npm start`", embeddedHelp()],
    ["`npm run start:distributed`", startDistributedHelp()],
    ["every service process", renderConfigHelp(distributedConfig)],
    ["api", renderConfigHelp(apiConfig)],
    ["edge", renderConfigHelp(edgeConfig)],
    ["factors", renderConfigHelp(factorsConfig)],
    ["identity", renderConfigHelp(identityConfig)],
    ["keys", renderConfigHelp(keysConfig)],
    ["notify", renderConfigHelp(notifyConfig)],
  ];
  const found = new Map<string, { setting: Setting; readers: string[] }>();
  for (const [reader, help] of helps) {
    for (const setting of settingsIn(help)) {
      const row = found.get(JSON.stringify(setting)) ?? { setting, readers: [] };
      row.readers.push(reader);
      found.set(JSON.stringify(setting), row);
    }
  }
  return [...found.values()].toSorted((a, b) => (a.setting.name < b.setting.name ? -1 : 1));
}

/**
 * The tables of settings, by the document in which each stands. What they say is what `--help` says: the definitions in the services are
 * the only place where a setting is described.
 */
export function renderSettings(): Readonly<Record<string, string>> {
  const all = rows();
  if (all.length === 0) throw new Error("no settings were found");
  return {
    "docs/operations.md": table(
      ["variable", "read by", "what it does", "allowed", "unless set"],
      all.map(({ setting: { name, meaning, allowed, otherwise }, readers }) => [
        `\`${name}\``,
        readers.join(", "),
        cell(meaning),
        cell(allowed),
        cell(otherwise),
      ]),
    ),
    "README.md": table(
      ["variable", "what it does", "unless set"],
      inReadme.map((name) => {
        const row = all.find(({ setting, readers }) => setting.name === name && readers.includes("`npm start`"));
        if (row === undefined) throw new Error(`npm start knows no setting ${name}`);
        return [`\`${name}\``, cell(row.setting.meaning), cell(row.setting.otherwise)];
      }),
    ),
  };
}

import type { Exploration, Heard, PolicyVerdict, Simulation } from "@portcullis/policy";
import { harmless } from "../harmless.ts";
import { table } from "../owner/show.ts";

export function checked({ ok, issues, advice }: PolicyVerdict): string {
  const rows = ok
    ? advice.map(({ severity, path, code, message }) => ({ severity, path, code, message }))
    : issues.map(({ path, message }) => ({ path: path === "" ? "-" : path, message }));
  if (!ok) return `Not a policy:\n${table(rows, ["path", "message"], "")}`;
  const good = "The policy is valid.";
  return rows.length === 0
    ? good
    : `${good} Weaker than it may look:\n${table(rows, ["severity", "path", "code", "message"], "")}`;
}

export function played({ branches, transcript, verdict, cause, gates, assurance, unplayed }: Simulation): string {
  const rows = transcript.map(({ step, atMs, did, heard, noted, failures }) => ({
    step: step === null ? "-" : `${step + 1}`,
    at: seconds(atMs),
    client: did,
    hears: heardOf(heard),
    "in truth": [...noted, ...(failures > 0 ? [`${failures} counted`] : [])].join(", "),
  }));
  const taken = branches.map(({ at, take }) => `gates.${at} takes ${take}`).join(", ");
  const bound = assurance?.memberBound ? "the name is proven" : "the name is claimed only";
  const end = {
    accept: `Let in through ${gates.length === 0 ? "nothing" : gates.join(", ")}: ${bound}.`,
    deny: `Denied: ${cause ?? "-"}. The client hears only that it is denied.`,
    none: "Not decided yet.",
  }[verdict ?? "none"];
  const rest = unplayed > 0 ? ` ${unplayed} more steps were not played.` : "";
  const lines = [table(rows, ["step", "at", "client", "hears", "in truth"], ""), "", `${end}${rest}`];
  return (taken === "" ? lines : [`Decided at once: ${taken}`, "", ...lines]).join("\n");
}

export function explored({ ways, more, holders }: Exploration): string {
  const through = ways.slice(0, waysShown).map(({ branches, gates, devices }) => ({
    when: branches.map(({ at, take }) => `${at} ${take}`).join(", ") || "always",
    gates: gates.map(({ at, gate }) => `${gate} (${at})`).join(", "),
    "rests on": devices.join(", ") || "nothing",
  }));
  const who = holders.map(({ holds, passes, passesAuthenticator, lacks }) => ({
    "who holds": holds,
    "gets in": passes ? (passesAuthenticator ? "yes" : "yes, unless an authenticator is enrolled") : "no",
    lacks: lacks.join(", "),
  }));
  const left = ways.length > waysShown || more ? "\nand others" : "";
  return [
    "Ways through:",
    `${table(through, ["when", "gates", "rests on"], "none")}${left}`,
    "",
    "Who gets in:",
    table(who, ["who holds", "gets in", "lacks"], ""),
  ].join("\n");
}

const waysShown = 20;

function heardOf(heard: Heard): string {
  switch (heard.is) {
    case "challenge":
      return `asked for ${heard.options.map(({ gate, at }) => `${gate} (${at})`).join(" or ")}, ${left(heard)}`;
    case "wait":
      return `waits for ${harmless(heard.gate)} (${heard.at}), ${left(heard)}`;
    default:
      return heard.is;
  }
}

function left({ attemptsLeft, retry, answerByMs }: Extract<Heard, { is: "wait" | "challenge" }>): string {
  return `${attemptsLeft} left, until ${seconds(answerByMs)}${retry ? ", once more" : ""}`;
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}

import type { Mode } from "./stage.ts";

/** What the demo found out; the line of `--json`. Begins as "nothing was shown". */
export interface Outcome {
  mode: Mode;
  /** "accept" when both members got in, each known by a gate that is theirs alone. */
  verdict: string;
  gates: readonly string[];
  delivered: boolean;
  /** Alice's, then Bob's. */
  edges: readonly string[];
  /** "deny" when both were denied, each at the gate that had to stop them. */
  impostor: string;
  impostors: { wrongKey: string; replayedCode: string };
  /** The kicked member was told so under seal, and was out. */
  kicked: boolean;
  recordedBytes: number;
  canariesSought: number;
  /** How many of them are in the recording; null until it was searched. */
  canariesSeen: number | null;
  canariesFound: readonly string[];
  /** The search can find: the message, which this socket does not seal, was seen in both directions. */
  controlSeen: boolean;
  /** What broke the demo off; null when it came to its end. */
  error: string | null;
}

export function createOutcome(mode: Mode): Outcome {
  return {
    mode,
    verdict: "none",
    gates: [],
    delivered: false,
    edges: [],
    impostor: "none",
    impostors: { wrongKey: "none", replayedCode: "none" },
    kicked: false,
    recordedBytes: 0,
    canariesSought: 0,
    canariesSeen: null,
    canariesFound: [],
    controlSeen: false,
    error: null,
  };
}

export interface Expectation {
  readonly isSo: boolean;
  readonly text: string;
}

/** Everything that has to be as it should be for exit code 0. */
export function expectationsOf(outcome: Outcome): Expectation[] {
  const { mode, verdict, gates, delivered, edges, impostors, kicked, canariesSeen, controlSeen, error } = outcome;
  const found = outcome.canariesFound.length === 0 ? "" : `: ${outcome.canariesFound.join("; ")}`;
  return [
    { isSo: error === null, text: error === null ? "the story came to its end" : `the story broke off: ${error}` },
    { isSo: verdict === "accept", text: `both members got in (verdict: ${verdict})` },
    {
      isSo: gates.join(" ") === "key otp",
      text: `through the gates key and otp (passed: ${gates.join(", ") || "none"})`,
    },
    mode === "distributed"
      ? { isSo: new Set(edges).size === 2, text: `on two different edges (${edges.join(", ") || "none"})` }
      : { isSo: edges.length === 2, text: `on the edge of the one process (${edges.join(", ") || "none"})` },
    { isSo: delivered, text: "what Alice said was delivered to Bob, in her name" },
    { isSo: impostors.wrongKey === "deny", text: `a wrong key was denied before any question (${impostors.wrongKey})` },
    { isSo: impostors.replayedCode === "deny", text: `a used code was denied (${impostors.replayedCode})` },
    { isSo: kicked, text: "who was kicked was told so under seal, and was out" },
    {
      isSo: canariesSeen === 0,
      text: `no planted secret is in the recording (${canariesSeen ?? "not searched"} of ${outcome.canariesSought} seen${found})`,
    },
    { isSo: controlSeen, text: "the search can find: the unsealed message is in the recording, both ways" },
  ];
}

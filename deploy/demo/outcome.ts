import type { Mode } from "./stage.ts";

/** What the demo found out; the line of `--json`. Begins as "nothing was shown". */
export interface Outcome {
  mode: Mode;
  /** "accept" when both members got in, each known by a gate that is theirs alone. */
  verdict: string;
  /** That Alice has passed, then Bob, each in order. */
  gates: readonly string[];
  delivered: boolean;
  /** Alice's, then Bob's. */
  edges: readonly string[];
  /** "deny" when both were denied, each at the gate that had to stop them. */
  impostor: string;
  impostors: { wrongKey: string; replayedCode: string };
  /** Both lost their connection; the sessions went on over others, and what was said meanwhile was heard. */
  resumed: boolean;
  /** The kicked member was told so under seal, and was out. */
  kicked: boolean;
  recordedBytes: number;
  canariesSought: number;
  /** How many of them are in the recording; null until it was searched. */
  canariesSeen: number | null;
  canariesFound: readonly string[];
  /** The same chain on a socket that does not seal messages: the message was delivered there too. */
  control: boolean;
  /** The search can find: that message was seen in both directions. */
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
    resumed: false,
    kicked: false,
    recordedBytes: 0,
    canariesSought: 0,
    canariesSeen: null,
    canariesFound: [],
    control: false,
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
  const {
    mode,
    verdict,
    gates,
    delivered,
    edges,
    impostors,
    resumed,
    kicked,
    canariesSeen,
    control,
    controlSeen,
    error,
  } = outcome;
  const found = outcome.canariesFound.length === 0 ? "" : `: ${outcome.canariesFound.join("; ")}`;
  return [
    { isSo: error === null, text: error === null ? "the story came to its end" : `the story broke off: ${error}` },
    { isSo: verdict === "accept", text: `both members got in (verdict: ${verdict})` },
    {
      isSo: gates.join("; ") === "key otp email question; key otp sms question",
      text: `through the whole chain: key, code, a message that somebody confirmed, question (passed: ${gates.join("; ") || "none"})`,
    },
    mode !== "embedded"
      ? { isSo: new Set(edges).size === 2, text: `on two different edges (${edges.join(", ") || "none"})` }
      : { isSo: edges.length === 2, text: `on the edge of the one process (${edges.join(", ") || "none"})` },
    { isSo: delivered, text: "what Alice said was sealed, and delivered to Bob, in her name" },
    {
      isSo: resumed,
      text: "sessions went on when their connections broke, and nothing that was said meanwhile was lost",
    },
    { isSo: impostors.wrongKey === "deny", text: `a wrong key was denied before any question (${impostors.wrongKey})` },
    { isSo: impostors.replayedCode === "deny", text: `a used code was denied (${impostors.replayedCode})` },
    { isSo: kicked, text: "who was kicked was told so under seal, and was out" },
    {
      isSo: canariesSeen === 0,
      text: `no planted secret is in the recording (${canariesSeen ?? "not searched"} of ${outcome.canariesSought} seen${found})`,
    },
    { isSo: control, text: "the same chain works on a socket that does not seal messages" },
    { isSo: controlSeen, text: "the search can find: the message of that socket is in the recording, both ways" },
  ];
}

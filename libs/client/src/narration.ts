export type FrameDirection = "up" | "down";

export type FrameKind =
  | "hello"
  | "open"
  | "challenge"
  | "wait"
  | "answer"
  | "offer"
  | "start"
  | "resend"
  | "cancel"
  | "accepted"
  | "denied"
  | "revoked"
  | "goodbye"
  | "message"
  | "catch-up"
  | "caught-up"
  | "stepped-up"
  | "close";

/** Names, numbers and sizes: nothing that a screen must not show. No key, answer, path, member or body. */
export type FrameSummary = Readonly<Record<string, string | number | boolean>>;

export type Narrate = (direction: FrameDirection, kind: FrameKind, summary: FrameSummary) => void;

/** A listener that throws is its own problem, never the connection's. */
export function createNarrator(listener: Narrate | undefined): Narrate {
  return (direction, kind, summary) => {
    try {
      listener?.(direction, kind, summary);
    } catch {
      // On purpose.
    }
  };
}

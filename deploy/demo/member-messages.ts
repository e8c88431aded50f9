import type { FrameDirection, FrameKind, FrameSummary } from "@portcullis/client";

/** What the demo tells a client process to do. Secrets come this way, because arguments of a process can be read by others. */
export type Order =
  | {
      readonly do: "join";
      readonly url: string;
      readonly appKey: string;
      readonly answerSecret: string;
      /** Which message the member wants to get where there are two ways on. */
      readonly by: "link" | "code";
    }
  /** To the last question; null gives up. */
  | { readonly do: "answer"; readonly value: string | null }
  | { readonly do: "say"; readonly text: string }
  | { readonly do: "leave" };

/** What a client process reports. */
export type MemberEvent =
  | {
      readonly event: "frame";
      readonly direction: FrameDirection;
      readonly kind: FrameKind;
      readonly summary: FrameSummary;
    }
  | { readonly event: "question"; readonly gate: string; readonly edge: string; readonly retry: boolean }
  /** Somebody has to confirm, by a link; `number` is what this client shows. */
  | { readonly event: "waiting"; readonly number: string }
  | {
      readonly event: "accepted";
      readonly sid: string;
      readonly edge: string;
      readonly gates: readonly string[];
      readonly memberBound: boolean;
      readonly messagesSealed: boolean;
    }
  /** The connection broke; and then, that the session goes on over another one. */
  | { readonly event: "lost" }
  | { readonly event: "resumed"; readonly edge: string }
  | { readonly event: "gap" | "undelivered" }
  /** It is asked for more while it lives; and then, that this was passed. */
  | { readonly event: "step-up" }
  | { readonly event: "stepped-up" }
  /** `code` is one of the SDK's error codes. */
  | { readonly event: "refused"; readonly code: string; readonly sealed: boolean }
  | { readonly event: "said" }
  | { readonly event: "unsaid"; readonly code: string }
  /** The connection is closed, as far as `leave` goes. */
  | { readonly event: "left" }
  | { readonly event: "message"; readonly member: string | null; readonly text: string }
  | { readonly event: "ended"; readonly reason: string; readonly what: string | null; readonly sealed: boolean };

export type EventName = MemberEvent["event"];
export type EventOf<Name extends EventName> = Extract<MemberEvent, { readonly event: Name }>;

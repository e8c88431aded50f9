import { type CloseCodeName, type MessageDown, ProtocolError } from "@portcullis/protocol";
import { type Closing, closingOfSealed } from "./closing.ts";
import type { Directed } from "./directed.ts";
import type { Inbox } from "./inbox.ts";
import type { Intake } from "./intake.ts";
import type { Heard, Link } from "./link.ts";
import { createMessageReader, type Message } from "./message.ts";
import type { Settings } from "./options.ts";
import type { Outbox } from "./outbox.ts";
import type { Sequencer } from "./sequencer.ts";
import type { StepUps } from "./step-ups.ts";

/** What a session makes of what the server says. */
export interface Hearing {
  /** @throws {ProtocolError} on what the server would not have said */
  hear(from: Link, heard: Heard): void;
  /** A message whose turn it is. */
  deliver(message: MessageDown): void;
}

export function createHearing(parts: {
  readonly settings: Settings;
  readonly accepted: Link["accepted"];
  readonly canResume: boolean;
  readonly inbox: Inbox<Message>;
  readonly outbox: Outbox;
  readonly sequencer: Sequencer<MessageDown>;
  readonly directed: Directed;
  readonly stepUps: StepUps;
  readonly intake: Pick<Intake, "retry">;
  readonly isOver: () => boolean;
  readonly onOverflow: () => void;
  readonly end: (closing: Closing, closeName: CloseCodeName) => void;
}): Hearing {
  const { settings, accepted, canResume, isOver, onOverflow, end } = parts;
  const { inbox, outbox, sequencer, directed, stepUps, intake } = parts;
  const { narrate, echo } = settings;
  const { sid, limits, place = null, role = "member", mode = "broadcast" } = accepted;
  const read = createMessageReader(sid);

  function hearMessage(message: MessageDown): void {
    const { length } = message.body;
    if (length > limits.maxBytes) throw new ProtocolError("too-large", "message.body");
    const { to } = message.head;
    if (to !== undefined && to !== sid) throw new ProtocolError("malformed", "message.head");
    if (place === null || to !== undefined) deliver(message);
    else if (message.head.place === undefined) throw new ProtocolError("malformed", "message.head");
    else sequencer.put(message.head.place, message, length);
  }

  function deliver(down: MessageDown): void {
    const message = read(down);
    if (message === null || isOver()) return;
    const { length } = message.bytes;
    narrate("down", "message", { seq: message.seq, bytes: length, own: message.own });
    // What another program of the owner's said to all is no word of a member's.
    if (role === "consumer" && mode === "consumer" && !message.direct && !message.own) return;
    if (message.own) {
      outbox.arrived(message.seq);
      if (!echo) return;
    }
    if (!inbox.push(message, length)) onOverflow();
  }

  return {
    deliver,
    hear(from, heard) {
      switch (heard.t) {
        case "message":
          hearMessage(heard);
          break;
        case "tick":
          sequencer.reached(heard.place);
          break;
        case "grant":
          from.learn(heard.group);
          intake.retry(from);
          break;
        case "caught-up": {
          const { through, complete, more, group } = heard;
          narrate("down", "caught-up", { through, complete });
          if (group !== undefined) from.learn(group);
          // Behind what was put aside, which is here and only has to be opened.
          intake.retry(from, () => {
            sequencer.caughtUp(through, complete);
            if (more) sequencer.ask(through);
          });
          break;
        }
        case "challenge":
        case "wait":
        case "stepped-up":
          stepUps.hear(from, heard);
          break;
        case "revoked":
        case "goodbye": {
          const closing = closingOfSealed(heard);
          narrate("down", heard.t, { reason: closing.reason, name: closing.name });
          // A goodbye from who will be back is no reason to give up.
          const isPassing = heard.t === "goodbye" && closing.retry && canResume;
          if (!isPassing) end(closing, "closed");
          break;
        }
        default:
          directed.hear(heard);
      }
    },
  };
}

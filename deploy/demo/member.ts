import { connect, PortcullisError, type Question, type Session, type WaitingCallback } from "@portcullis/client";
import type { MemberEvent, Order } from "./member-messages.ts";

// One client process of the demo: the SDK, and nothing else of Portcullis. Whoever started it says what to do.
let session: Session | null = null;
let answer: ((value: string | null) => void) | null = null;

const tell = (event: MemberEvent) => void process.send?.(event);
const codeOf = (error: unknown) => (error instanceof PortcullisError ? error.code : "defect");

process.on("disconnect", () => process.exit(0));
process.on("message", (order: Order) => {
  switch (order.do) {
    case "join":
      void join(order);
      break;
    case "answer":
      answer?.(order.value);
      answer = null;
      break;
    case "say":
      void say(order.text);
      break;
    case "leave":
      void session?.close().then(() => tell({ event: "left" }));
      break;
  }
});

async function join({ url, appKey, answerSecret, by }: Extract<Order, { do: "join" }>): Promise<void> {
  let shown: string | null = null;
  const onWait: WaitingCallback = ({ number }) => {
    if (number === null || number === shown) return;
    shown = number;
    tell({ event: "waiting", number });
  };
  try {
    session = await connect(url, {
      appKey,
      answerSecret,
      // Whoever shows a number can be let in by a link; whoever can be asked for a code, by a code.
      ...(by === "link" ? { answers: { otp: ask }, onWait } : { answers: { otp: ask, sms: ask } }),
      onState: (state) => tell(state.is === "resumed" ? { event: "resumed", edge: state.edge } : { event: state.is }),
      onFrame: (direction, kind, summary) => tell({ event: "frame", direction, kind, summary }),
    });
  } catch (error) {
    const sealed = error instanceof PortcullisError && error.sealed;
    tell({ event: "refused", code: codeOf(error), sealed });
    return;
  }
  const { sid, edge, gates, assurance, sealed: messagesSealed } = session;
  tell({ event: "accepted", sid, edge, gates, memberBound: assurance.memberBound, messagesSealed });
  void report(session);
}

function ask({ gate, retry, server }: Question): Promise<string | null> {
  tell({ event: "question", gate, edge: server.edge, retry });
  return new Promise((resolve) => {
    answer = resolve;
  });
}

async function say(text: string): Promise<void> {
  try {
    if (session === null) throw new PortcullisError("closed");
    await session.send(text);
    tell({ event: "said" });
  } catch (error) {
    tell({ event: "unsaid", code: codeOf(error) });
  }
}

async function report(from: Session): Promise<void> {
  void from.closed.then(({ reason, what, sealed }) => tell({ event: "ended", reason, what, sealed }));
  try {
    for await (const message of from) tell({ event: "message", member: message.from.member, text: message.text() });
  } catch {
    // `closed` says how it ended.
  }
}

import type { StepUpClock } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import { createTimer } from "../wire/timer.ts";

export interface StepUpReply {
  readonly frames: readonly Uint8Array[];
  readonly close: number | null;
  readonly stepUp: StepUpClock | null;
}

/** When a session has to be asked about, and that it ends where nobody could be: this edge may be the only part that still runs. */
export interface StepUps {
  /** As `keys` said it last. */
  set(clock: StepUpClock): void;
  /** Something changed: asks at once. */
  nudge(): void;
  stop(): void;
}

/** Between two questions that nobody nudged for. */
const pauseMs = 1_000;

export function createStepUps(options: {
  readonly first: StepUpClock;
  readonly clock: Clock;
  readonly ask: () => Promise<StepUpReply>;
  readonly onFrame: (frame: Uint8Array) => void;
  readonly onClose: (closeCode: number) => void;
  /** Nobody has asked in time, or nobody could be asked. */
  readonly onEnd: () => void;
}): StepUps {
  const { clock, ask, onFrame, onClose, onEnd } = options;
  const asking = createTimer(clock);
  const ending = createTimer(clock);
  let running = false;
  let again = false;
  let stopped = false;

  function set({ askAtMs, endAtMs }: StepUpClock, notBeforeMs = 0): void {
    if (stopped) return;
    asking.at(Math.max(askAtMs, notBeforeMs), () => void run());
    ending.at(endAtMs, onEnd);
  }

  async function run(): Promise<void> {
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      await once();
    } while (again && !stopped);
    running = false;
  }

  async function once(): Promise<void> {
    // Until it is answered, the end stays where it was.
    asking.at(clock() + pauseMs, () => void run());
    const reply = await ask().catch(() => null);
    if (stopped || reply === null) return;
    for (const frame of reply.frames) onFrame(frame);
    if (reply.close !== null) onClose(reply.close);
    else if (reply.stepUp !== null) set(reply.stepUp, clock() + pauseMs);
  }

  set(options.first);
  return {
    set,
    nudge: () => void run(),
    stop() {
      stopped = true;
      asking.clear();
      ending.clear();
    },
  };
}

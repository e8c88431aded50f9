import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createStepUps, type StepUpReply, type StepUps } from "../src/sessions/step-up-clock.ts";

let made: StepUps | null = null;
afterEach(() => made?.stop());

function start(first: { readonly askInMs: number; readonly endInMs: number }, answer: () => Promise<StepUpReply>) {
  const heard: string[] = [];
  const now = Date.now();
  made = createStepUps({
    first: { askAtMs: now + first.askInMs, endAtMs: now + first.endInMs },
    clock: Date.now,
    ask: () => {
      heard.push("ask");
      return answer();
    },
    onFrame: (frame) => void heard.push(Buffer.from(frame).toString()),
    onClose: (code) => void heard.push(`close ${code}`),
    onEnd: () => void heard.push("end"),
  });
  return { heard, clock: made };
}
const later = (ms: number) => ({ askAtMs: Date.now() + ms, endAtMs: Date.now() + ms + 30_000 });
const frame = (text: string) => new Uint8Array(Buffer.from(text));

describe("the clock of a session that is asked again", () => {
  it("asks when it is time, says what is said, and goes on by the new time", async () => {
    const reply = async () => ({ frames: [frame("question")], close: null, stepUp: later(60_000) });
    const { heard } = start({ askInMs: 20, endInMs: 100 }, reply);
    await sleep(200);
    expect(heard).toEqual(["ask", "question"]);
  });

  it("ends the session where nobody answers, and not before its time", async () => {
    const { heard } = start({ askInMs: 0, endInMs: 150 }, () => Promise.reject(new Error("nobody")));
    await sleep(80);
    expect(heard).toEqual(["ask"]);
    await sleep(150);
    expect(heard).toEqual(["ask", "end"]);
  });

  it("ends it where the answer never comes", async () => {
    const { heard } = start({ askInMs: 0, endInMs: 100 }, () => new Promise(() => {}));
    await sleep(200);
    expect(heard).toEqual(["ask", "end"]);
  });

  it("asks once more for a nudge that came while it was asking, and not twice for two", async () => {
    const { promise, resolve } = Promise.withResolvers<StepUpReply>();
    const { heard, clock } = start({ askInMs: 0, endInMs: 10_000 }, () => promise);
    await sleep(30);
    for (const _ of [1, 2, 3]) clock.nudge();
    resolve({ frames: [], close: null, stepUp: later(60_000) });
    await sleep(50);
    expect(heard).toEqual(["ask", "ask"]);
  });

  it("closes as `keys` says", async () => {
    const { heard } = start({ askInMs: 0, endInMs: 10_000 }, async () => ({ frames: [], close: 4003, stepUp: null }));
    await expect.poll(() => heard).toEqual(["ask", "close 4003"]);
  });
});

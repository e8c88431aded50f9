import { type Clock, systemClock } from "@portcullis/runtime";

/**
 * Milliseconds that never run slower than either clock. The wall clock alone could be set back, and a lease with it; the monotonic one stands still while a machine is
 * suspended, and who wakes up would take its keys for fresh.
 */
export function createLeaseClock(wall: Clock = systemClock, monotonic: Clock = () => performance.now()): Clock {
  let [wallBefore, monotonicBefore] = [wall(), monotonic()];
  let now = 0;
  return () => {
    const [wallNow, monotonicNow] = [wall(), monotonic()];
    now += Math.max(0, wallNow - wallBefore, monotonicNow - monotonicBefore);
    [wallBefore, monotonicBefore] = [wallNow, monotonicNow];
    return now;
  };
}

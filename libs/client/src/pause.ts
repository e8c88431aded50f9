/** How long to wait before another try. */
export interface Pause {
  /** At least: the server asked for it, or everybody else comes in that moment too. */
  readonly askedMs: number;
  /** Beyond that. Nothing is known of why it did not work: should the network be back, there is no sense in waiting on. */
  readonly backoffMs: number;
}

/** A browser may be wrong about the network, as where the server is on the same machine. */
const offlineMsMax = 30_000;

/** Of a browser's `navigator` and window (HTML, "Browser state"); Node has neither the property nor the event. */
type Platform = Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">> & {
  readonly navigator?: { readonly onLine?: boolean };
};

/** Resolves when it is time for another try, or when `signal` is aborted. Without a network it is not before there is one again, and then at once. */
export async function pause({ askedMs, backoffMs }: Pause, signal: AbortSignal): Promise<void> {
  const { navigator } = globalThis as Platform;
  await sleep(askedMs, signal);
  await sleep(backoffMs, signal, "online");
  if (navigator?.onLine === false) await sleep(offlineMsMax, signal, "online");
}

/** @param event of the window, that ends it early */
function sleep(delayMs: number, signal: AbortSignal, event?: string): Promise<void> {
  const platform = globalThis as Platform;
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      if (event !== undefined) platform.removeEventListener?.(event, done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener("abort", done);
    if (event !== undefined) platform.addEventListener?.(event, done);
    if (signal.aborted) done();
  });
}

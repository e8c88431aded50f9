import { sealedStores as ofFactors } from "@portcullis/factors/sealed";
import { sealedStores as ofIdentity } from "@portcullis/identity/sealed";
import { sealedStores as ofKeys } from "@portcullis/keys/sealed";
import { environment, keysCommand } from "@portcullis/platform";
import { ConfigError, createCloser, StartupError } from "@portcullis/runtime";
import { exitCodes, Sorry } from "../exit.ts";

/** Of all services that keep secrets, for it runs where their data is; a container has the same for its own service. */
export async function keysOfServices(args: readonly string[]): Promise<number> {
  const closer = createCloser(() => undefined);
  const stopping = new AbortController();
  const stop = () => stopping.abort(new StartupError("stopped: the same command goes on where it was"));
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  // Of `| head`, or a terminal that was closed: what ends in the middle is a reader of the ring for whom others wait.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  try {
    await keysCommand(args, {
      sealed: { identity: ofIdentity, factors: ofFactors, keys: ofKeys },
      environment,
      write: (text) => void process.stdout.write(text),
      closer,
      signal: stopping.signal,
    });
    return exitCodes.ok;
  } catch (error) {
    if (stopping.signal.aborted) throw new Sorry(exitCodes.refused, String(stopping.signal.reason.message));
    if (error instanceof StartupError || error instanceof ConfigError)
      throw new Sorry(exitCodes.refused, error.message);
    throw error;
  } finally {
    await closer.close();
  }
}

import { PortcullisError } from "./errors.ts";

/**
 * A part of this library that is not always needed, or not at once: bundlers make a file of its own of it.
 *
 * @throws {PortcullisError} `unreachable` where it cannot be had: in a browser it comes over the network
 */
export async function onDemand<Part>(load: () => Promise<Part>): Promise<Part> {
  try {
    return await load();
  } catch {
    const message =
      "A part of the SDK could not be loaded: a bundler makes files of them, to be served beside the rest.";
    throw new PortcullisError("unreachable", { message });
  }
}

export const engineNames = ["nats", "redis", "mongodb"] as const;
export type EngineName = (typeof engineNames)[number];

/** An engine that answers, however it came about. */
export interface RunningEngine {
  readonly url: string;
  /** For the log: where it came from. */
  readonly from: string;
  stop(): Promise<void>;
}

export interface StartContext {
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
  /** A configuration file for nats-server: users, permissions. It must not name an address or a port. */
  readonly natsConfig?: string | undefined;
}

/**
 * One way to get an engine. @returns null when this machine does not offer it.
 * @throws when it should have worked and did not; the next way is then tried.
 */
export type Way = (engine: EngineName, context: StartContext) => Promise<RunningEngine | null>;

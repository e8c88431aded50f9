import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Heard {
  readonly messages: readonly {
    readonly sid: string;
    readonly member: string | null;
    readonly place: number | null;
    readonly class: string | null;
    readonly to: string | null;
    readonly body: string;
  }[];
  /** Its own messages that it has not heard back. */
  readonly kept: number;
  /** Names of what else the server said. */
  readonly told: readonly string[];
  readonly catchUps: number;
  readonly epochs: readonly number[];
  /** How far each of them is. */
  readonly steps: readonly number[];
  /** Records for everybody that it had no key for. */
  readonly passedOver: number;
  readonly lost: readonly (readonly [number, number])[];
}

export interface State {
  readonly sid: string;
  readonly member: string | null;
  readonly role?: string;
  readonly gates: readonly string[];
  readonly assurance: object;
  readonly sealed: boolean;
  readonly place?: number;
  readonly next?: number;
  readonly receipt: boolean;
  readonly words: string;
  readonly suite: string;
}

interface SendCommand {
  readonly do: "send";
  readonly body: string;
  readonly to?: string;
  readonly class?: string;
}

/** The Python client in a process of its own, told by `run.py` what to do. */
export interface Player {
  /** @throws PlayerError with what went wrong at the client. */
  do(command: { readonly do: "connect" | "resume"; readonly [name: string]: unknown }): Promise<State>;
  do(command: { readonly do: "receive"; readonly count: number; readonly seconds: number }): Promise<Heard>;
  do(command: SendCommand): Promise<{ readonly counter: number }>;
  do(command: { readonly do: "ask"; readonly what: "who" | "kick" | "step-up"; readonly sid: string }): Promise<object>;
  do(command: { readonly do: "cut" }): Promise<object>;
  do(command: { readonly do: "meet"; readonly name: string; readonly pin: string }): Promise<object>;
  do(command: { readonly do: "sendBeyond"; readonly body: string }): Promise<object>;
  do(command: { readonly do: "receiveBeyond"; readonly seconds: number }): Promise<{ readonly bodies: string[] }>;
  stop(): void;
}

export class PlayerError extends Error {
  override readonly name = "PlayerError";
  readonly said: object;
  constructor(said: object) {
    super(JSON.stringify(said));
    this.said = said;
  }
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export function startPlayer(python: string): Player {
  const child = spawn(python, ["-B", join(import.meta.dirname, "run.py")], {
    env: { PATH: process.env.PATH },
    stdio: ["pipe", "pipe", "inherit"],
  });
  running.add(child);
  child.once("close", () => running.delete(child));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async do(command: object) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error("the Python client has ended");
      const said: object = JSON.parse(value);
      if ("error" in said) throw new PlayerError(said);
      return said as never;
    },
    stop: () => void child.kill("SIGKILL"),
  };
}

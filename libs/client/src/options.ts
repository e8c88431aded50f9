import { encodeOpenPayload, type SuiteId, suiteIds } from "@portcullis/protocol";
import { type Address, addressOf } from "./address.ts";
import { blameApplication, PortcullisError } from "./errors.ts";
import type { IdentCallback } from "./ident-callback.ts";
import { createNarrator, type Narrate } from "./narration.ts";
import type { OfferCallback, Offered } from "./offers.ts";
import type { Means } from "./prompts/prompt.ts";
import type { AnswerCallback, ChallengeCallback, Server } from "./question.ts";
import type { WaitingCallback } from "./waiting.ts";
import type { WebSocketConstructor } from "./web-socket.ts";

/**
 * `lost`: there is no connection, another one is tried. `resumed`: it goes on, at this edge. `gap`: messages of others will never come.
 * `undelivered`: nobody took our message with this counter, and nobody will.
 * `step-up`: the socket asks for more, and what is sent waits until that is passed; `stepped-up`: it was, by these gates, and covers a class of
 * messages until (epoch milliseconds of the server's clock; null: it was not about one).
 */
export type SessionState =
  | { readonly is: "lost" }
  | { readonly is: "resumed"; readonly edge: string }
  | { readonly is: "gap" }
  | { readonly is: "undelivered"; readonly seq: number }
  | { readonly is: "step-up" }
  | { readonly is: "stepped-up"; readonly gates: readonly string[]; readonly until: number | null };
export type StateCallback = (state: SessionState) => void;

type Eventually<T> = T | PromiseLike<T>;

export interface ConnectOptions {
  /** `pc1.…`, or a function that gets it. It pins the server. Absent: Base mode, which needs `pin` or `unpinned: "allow"`. */
  readonly appKey?: string | (() => Eventually<string>) | undefined;
  /**
   * `pt1.…`, a one-time ticket that was had elsewhere. A function is called once for each new handshake, when the server has been verified; never where
   * one, or a session, goes on. Without an app key it needs `pin`: whoever has a ticket is let in, so that only the right server may see it.
   */
  readonly ticket?: string | (() => Eventually<string>) | undefined;
  /** Fingerprint of the server's identity, 22 characters. With an app key it must be the key's own. */
  readonly pin?: string | undefined;
  /** Whether to go on with a server that nothing vouches for, and show it the person's codes. Default "refuse". */
  readonly unpinned?: "refuse" | "allow" | undefined;
  /**
   * Answers that go along with `open`. A function is called once, when the server has been verified, so that codes are fresh.
   *
   * Where it returns an async iterable, its first item goes along with `open`, and each further one is an offer of its own: for a
   * socket that offers, which says nothing to an offer that is not enough. It is asked for the next one as soon as one was
   * sent, and sent at most one a second, up to the verdict. A challenge ends it, since on a socket that asks every
   * offer would be a failed attempt; then `answers` are asked. When it has no more, the verdict is waited for.
   */
  readonly offer?: Offered | OfferCallback | undefined;
  /** By gate: asked when the server challenges, at the gates and while the session lives. */
  readonly answers?: Readonly<Record<string, AnswerCallback>> | undefined;
  /**
   * Shows a wait: where the message went, the number for the page behind its link, when another one may be asked for. A gate that is
   * confirmed by a link is picked where this is given, unless `onChallenge` can choose among several ways; codes are asked for by `answers` or `onChallenge`.
   */
  readonly onWait?: WaitingCallback | undefined;
  /** Shows what the person recognises the server by, at each gate `ident`, also where nothing is asked. */
  readonly onIdent?: IdentCallback | undefined;
  /** Told which server answered, once it was verified and before anything is asked or sent; again on each connection. Must not throw. */
  readonly onServer?: ((server: Server) => void) | undefined;
  /** `pa1.…`, or a function that gets it: answers the gate `question` by itself. */
  readonly answerSecret?: string | (() => Eventually<string>) | undefined;
  /** Has a passkey sign; default: the platform's, where it has `navigator.credentials`. The answer is its `toJSON()`. */
  readonly passkey?: Means["passkey"];
  /**
   * Whether a handshake whose connection is lost goes on over another one, at the same gate and without asking anew. Default true; it
   * tries until the question that stands is over.
   */
  readonly comeBack?: boolean | undefined;
  /**
   * Whether a session whose connection is lost goes on over another one, where the socket allows it: without passing the gates again, with what
   * was sent and may not have arrived, and, where the socket keeps it, what was missed. Default true.
   */
  readonly resume?: boolean | undefined;
  /** Told when a session loses its connection, when it goes on over another one, and when messages were lost. Must not throw. */
  readonly onState?: StateCallback | undefined;
  /** Called by `logout()`: forgets what the application, or a layer above this one, keeps by itself: pins, answer secrets, keys of its own. */
  readonly onLogout?: (() => Eventually<void>) | undefined;
  /** Whether messages must be sealed. Default false; true refuses a socket where they are not. */
  readonly requireSealed?: boolean | undefined;
  /**
   * Whether a member's messages must be sealed end to end (`createEndToEnd`). Default false; true refuses a socket where they cannot be, and `send` refuses
   * what is not sealed.
   */
  readonly requireEndToEnd?: boolean | undefined;
  /**
   * Whether what takes no person is answered without asking: a proof of work, an answer secret, a passkey. Default true; false asks `onChallenge` for
   * these as well, which may have it done by `solve` of the question. For applications in which a person chooses among several ways.
   */
  readonly automatic?: boolean | undefined;
  /** Asked where none of `answers` fits. */
  readonly onChallenge?: ChallengeCallback | undefined;
  /** For the owner's program: at most 32, names of up to 64 and values of up to 1024 characters. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** Aborts the handshake, and later ends the session. */
  readonly signal?: AbortSignal | undefined;
  /** From the call to the verdict, people included, in milliseconds. Default 900000 (15 minutes), at most 2147483647. */
  readonly timeoutMs?: number | undefined;
  /** From the call of `connect` to the server's hello, in milliseconds. Default 15000. */
  readonly helloTimeoutMs?: number | undefined;
  /**
   * The weakest suite that is good enough, for the session and for what is sealed end to end in it. Default "0020" (X25519); "647a" insists on the
   * post-quantum hybrid.
   */
  readonly minSuite?: SuiteId | undefined;
  /** Domain below which host names are labels. Default "localhost"; on every other host the label is in the path. */
  readonly domain?: string | undefined;
  /** Query parameter that names the member. Default "id". */
  readonly idParameter?: string | undefined;
  /** True: the session yields its own messages too, in their place in the order. Default false. */
  readonly echo?: boolean | undefined;
  /** Messages that may wait to be read before the session is ended, and as many that may wait to be sent before `send` rejects. Default 1024. */
  readonly queueMax?: number | undefined;
  /** Their bytes, either way. Default 8388608 (8 MiB). */
  readonly queueBytesMax?: number | undefined;
  /** Default: the platform's. */
  readonly webSocket?: WebSocketConstructor | undefined;
  /** Epoch milliseconds. Default: the platform's. */
  readonly clock?: (() => number) | undefined;
  /** Told of every frame; never a secret. */
  readonly onFrame?: Narrate | undefined;
}

/** The options with their defaults, checked. */
export interface Settings {
  readonly address: Address;
  readonly options: ConnectOptions;
  readonly suites: readonly SuiteId[];
  readonly timeoutMs: number;
  readonly helloTimeoutMs: number;
  readonly echo: boolean;
  readonly comeBack: boolean;
  readonly resume: boolean;
  readonly queueMax: number;
  readonly queueBytesMax: number;
  readonly WebSocket: WebSocketConstructor;
  readonly clock: () => number;
  readonly narrate: Narrate;
}

const callbacks = [
  "onChallenge",
  "onWait",
  "onIdent",
  "onServer",
  "onState",
  "onLogout",
  "onFrame",
  "passkey",
  "webSocket",
  "clock",
] as const;
const delayMsMax = 2 ** 31 - 1;
const fingerprintShape = /^[A-Za-z0-9_-]{22}$/;

/** @throws {TypeError} which names the option and never repeats it. @throws {PortcullisError} `unsupported` where the platform has no WebCrypto */
export function readOptions(url: string | URL, options: ConnectOptions): Settings {
  const address = addressOf(url, options);
  // By its types a browser's takes no bytes that could be shared memory, which none of ours are.
  const platform = globalThis.WebSocket as WebSocketConstructor | undefined;
  const { minSuite = "0020", pin, signal, webSocket = platform } = options;
  const suites = suitesFrom(minSuite);
  if (pin !== undefined && !fingerprintShape.test(pin)) throw new TypeError("pin is not a fingerprint.");
  if (webSocket === undefined) throw new TypeError("This platform has no WebSocket: give one as webSocket.");
  // By its types each has it.
  if ((globalThis.crypto?.subtle as unknown) === undefined)
    throw new PortcullisError("unsupported", {
      message: "There is no WebCrypto here: browsers give it to pages over https and localhost alone.",
    });
  checkCallbacks(options);
  if (signal !== undefined && !("aborted" in signal)) throw new TypeError("signal is not an AbortSignal.");
  try {
    encodeOpenPayload({ dst: address.dst, ...parametersOf(options) });
  } catch (error) {
    blameApplication(error);
  }
  return {
    address,
    options,
    suites,
    timeoutMs: bounded("timeoutMs", options.timeoutMs ?? 900_000, delayMsMax),
    helloTimeoutMs: bounded("helloTimeoutMs", options.helloTimeoutMs ?? 15_000, delayMsMax),
    echo: options.echo ?? false,
    comeBack: options.comeBack ?? true,
    resume: options.resume ?? true,
    queueMax: bounded("queueMax", options.queueMax ?? 1_024, 1_000_000),
    queueBytesMax: bounded("queueBytesMax", options.queueBytesMax ?? 8 * 1_024 * 1_024, 2 ** 31),
    WebSocket: webSocket,
    clock: options.clock ?? Date.now,
    narrate: createNarrator(options.onFrame),
  };
}

/** Said here, since they may be called late, or where nobody hears what they throw. @throws {TypeError} */
function checkCallbacks({ answers = {}, ...options }: ConnectOptions): void {
  for (const [gate, answer] of Object.entries(answers)) checkCallback(`answers.${gate}`, answer);
  for (const name of callbacks) checkCallback(name, options[name]);
}

function checkCallback(name: string, given: unknown): void {
  if (given !== undefined && typeof given !== "function") throw new TypeError(`${name} is not a function.`);
}

/** Those that are at least as good. @throws {TypeError} */
export function suitesFrom(minSuite: SuiteId): readonly SuiteId[] {
  const floor = suiteIds.indexOf(minSuite);
  if (floor < 0) throw new TypeError("minSuite is not a suite.");
  return suiteIds.slice(0, floor + 1);
}

export function parametersOf({ parameters }: ConnectOptions): { parameters?: Record<string, string> } {
  return parameters === undefined ? {} : { parameters: { ...parameters } };
}

function bounded(name: string, value: number, max: number): number {
  if (!Number.isInteger(value) || value < 1 || value > max) throw new TypeError(`${name} is not in 1 to ${max}.`);
  return value;
}

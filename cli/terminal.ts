import { clearScreenDown, createInterface, moveCursor } from "node:readline";
import { Writable } from "node:stream";

export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  /** What is typed is shown as dots: somebody may look over one's shoulder, or record the screen. */
  readonly masked?: boolean;
}

/** Lines from a person, or from a pipe, and lines to them. */
export interface Terminal {
  /**
   * The next line; null when there are no more, or when the signal is aborted.
   *
   * @param prompt a function is asked again each second, for time that runs out.
   */
  ask(prompt: string | (() => string), options?: AskOptions): Promise<string | null>;
  /** On a line of its own, above what is being typed. */
  print(line: string): void;
  /** Whether a person sits there. */
  readonly isPerson: boolean;
  close(): void;
}

export function openTerminal(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Terminal {
  const isPerson = input.isTTY === true && output.isTTY === true;
  const screen = createScreen(output);
  const readline = createInterface({
    input,
    output: isPerson ? screen : undefined,
    terminal: isPerson,
    historySize: 0,
  });
  const lines: string[] = [];
  let waiting: ((line: string | null) => void) | null = null;
  let ended = false;

  readline.on("line", (line) => {
    if (waiting === null) lines.push(line);
    else waiting(line);
  });
  readline.on("close", () => {
    ended = true;
    waiting?.(null);
  });
  /** Takes the prompt, and what was typed behind it, off the screen: all the rows that they fill. */
  function wipe(): void {
    moveCursor(output, 0, -readline.getCursorPos().rows);
    output.write("\r");
    clearScreenDown(output);
    // By this readline goes up before it writes anew, and it is wrong once text or window have changed their width.
    Object.assign(readline, { prevRows: 0 });
  }

  // Ctrl-C, which a terminal in raw mode does not turn into a signal.
  readline.on("SIGINT", () => process.kill(process.pid, "SIGINT"));

  return {
    isPerson,
    ask(prompt, { signal, masked = false } = {}) {
      const [line] = lines.splice(0, 1);
      if (line !== undefined) return Promise.resolve(line);
      if (ended || signal?.aborted === true) return Promise.resolve(null);
      let ticking: NodeJS.Timeout | undefined;
      if (isPerson) {
        const show = () => {
          const text = typeof prompt === "string" ? prompt : prompt();
          screen.mask(masked ? text : null);
          readline.setPrompt(text);
          readline.prompt(true);
        };
        show();
        if (typeof prompt !== "string") {
          ticking = setInterval(() => {
            wipe();
            show();
          }, 1_000);
        }
      }
      return new Promise((resolve) => {
        const onAbort = () => waiting?.(null);
        waiting = (answer) => {
          waiting = null;
          clearInterval(ticking);
          screen.mask(null);
          signal?.removeEventListener("abort", onAbort);
          if (answer === null && isPerson) wipe();
          resolve(answer);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
    print(line) {
      if (!isPerson || waiting === null) {
        output.write(`${line}\n`);
        return;
      }
      wipe();
      output.write(`${line}\n`);
      readline.prompt(true);
    },
    close: () => readline.close(),
  };
}

/** What readline writes on, with a mask over what is typed behind a prompt. */
function createScreen(output: NodeJS.WriteStream) {
  let maskedPrompt: string | null = null;
  const screen = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const text = String(chunk);
      output.write(maskedPrompt === null ? text : maskedText(text, maskedPrompt));
      done();
    },
  });
  // readline counts rows by it, and a window changes its width.
  Object.defineProperty(screen, "columns", { get: () => output.columns });
  return Object.assign(screen, {
    mask(prompt: string | null) {
      maskedPrompt = prompt;
    },
  });
}

/** readline writes the prompt and the whole line, or what was typed last, or commands to the terminal. */
function maskedText(text: string, prompt: string): string {
  if (text.startsWith("\u001b")) return text;
  const typed = text.startsWith(prompt) ? text.slice(prompt.length) : text;
  return text.slice(0, text.length - typed.length) + typed.replace(/[^\r\n]/gu, "\u2022");
}

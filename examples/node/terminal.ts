import { createInterface } from "node:readline";

// Format characters hide and reorder text; these two only shape letters and emoji.
const dangerous = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const pictureOfNul = 0x2400;
const pictureOfDel = 0x2421;

/**
 * Text of somebody else, fit for one line of a terminal. What would move the cursor, colour, retitle, reorder or begin a new line
 * is shown instead of obeyed: it could pass for somebody else's line, or for a command.
 */
export function harmless(text: string): string {
  return text.toWellFormed().replace(dangerous, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(pictureOfNul + code);
    if (code === 0x7f) return String.fromCodePoint(pictureOfDel);
    return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
  });
}

/** Lines from a person, or from a pipe, and lines to them. */
export interface Terminal {
  /** The next line; null when there are no more, or when `signal` is aborted. */
  ask(prompt: string, signal?: AbortSignal): Promise<string | null>;
  /** On a line of its own, above what is being typed. */
  print(line: string): void;
  close(): void;
}

export function openTerminal(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Terminal {
  const terminal = input.isTTY === true && output.isTTY === true;
  const readline = createInterface({ input, output: terminal ? output : undefined, terminal, historySize: 0 });
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
  // Ctrl-C, which a terminal in raw mode does not turn into a signal.
  readline.on("SIGINT", () => process.kill(process.pid, "SIGINT"));

  return {
    ask(prompt, signal) {
      const [line] = lines.splice(0, 1);
      if (line !== undefined) return Promise.resolve(line);
      if (ended || signal?.aborted === true) return Promise.resolve(null);
      if (terminal) {
        readline.setPrompt(prompt);
        readline.prompt();
      }
      return new Promise((resolve) => {
        const onAbort = () => waiting?.(null);
        waiting = (answer) => {
          waiting = null;
          signal?.removeEventListener("abort", onAbort);
          resolve(answer);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
    print(line) {
      if (terminal && waiting !== null) output.write("\r\u001b[K");
      output.write(`${line}\n`);
      if (terminal && waiting !== null) readline.prompt(true);
    },
    close: () => readline.close(),
  };
}

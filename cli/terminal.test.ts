import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, test } from "vitest";
import { openTerminal, type Terminal } from "./terminal.ts";

describe("a person's terminal", () => {
  let input: PassThrough;
  let screen: ReturnType<typeof createScreen>;
  let terminal: Terminal;

  beforeEach(() => {
    input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });
    screen = createScreen(20);
    terminal = openTerminal(input as unknown as NodeJS.ReadStream, screen.output as unknown as NodeJS.WriteStream);
    return () => terminal.close();
  });
  async function type(text: string): Promise<void> {
    input.write(text);
    await new Promise(setImmediate);
  }

  test("loses nothing that is said while a line is typed that fills several rows", async () => {
    const asked = terminal.ask("");
    await type("a line that fills three rows, of twenty columns");
    terminal.print("eve> one");
    terminal.print("eve> two");
    expect(screen.rows()).toEqual(["eve> one", "eve> two", "a line that fills th", "ree rows, of twenty ", "columns"]);
    await type("!\r");
    expect(await asked).toBe("a line that fills three rows, of twenty columns!");
  });

  test("loses nothing that is said while a prompt stands that fills several rows", async () => {
    const stop = new AbortController();
    const asked = terminal.ask(() => "A code of some app, or drop > ", { signal: stop.signal, masked: true });
    await type("12");
    terminal.print("It was sent.");
    expect(screen.rows()).toEqual(["It was sent.", "A code of some app, ", "or drop > ••"]);
    stop.abort();
    expect(await asked).toBeNull();
    expect(screen.rows()).toEqual(["It was sent."]);
  });

  test("counts the rows of a prompt by the width that the window has now", async () => {
    terminal.print("above");
    screen.output.columns = 40;
    void terminal.ask("A code of some app > ");
    await type("1");
    terminal.print("said");
    expect(screen.rows()).toEqual(["above", "said", "A code of some app > 1"]);
  });
});

/** What a terminal of so many columns shows, as far as readline and this program command it. */
function createScreen(columns: number) {
  const cells: string[][] = [];
  let row = 0;
  let column = 0;
  const rowAt = (index: number) => {
    while (cells.length <= index) cells.push([]);
    return cells[index] ?? [];
  };
  function command(argument: string, letter: string): void {
    const count = Number(argument || "1");
    if (letter === "A") row = Math.max(0, row - count);
    else if (letter === "B") row += count;
    else if (letter === "C") column += count;
    else if (letter === "D") column = Math.max(0, column - count);
    else if (letter === "G") column = count - 1;
    else if (letter === "J") {
      rowAt(row).length = Math.min(column, rowAt(row).length);
      cells.length = row + 1;
    } else throw new Error(`a command that this screen does not know: ${argument}${letter}`);
  }
  function write(character: string): void {
    if (character === "\r") column = 0;
    else if (character === "\n") {
      row += 1;
      column = 0;
    } else {
      if (column === output.columns) {
        row += 1;
        column = 0;
      }
      rowAt(row)[column] = character;
      column += 1;
    }
  }
  const output = Object.assign(new PassThrough(), { isTTY: true, columns });
  output.write = ((text: string) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal is told
    for (const [all, argument, letter] of text.matchAll(/\u001b\[(\d*)([A-Z])|./gsu)) {
      if (letter === undefined) write(all);
      else command(argument ?? "", letter);
    }
    return true;
  }) as typeof output.write;
  return {
    output,
    /** Without those at the end that are empty. */
    rows: () => cells.map((line) => line.join("")).filter((line, index, all) => line !== "" || index < all.length - 1),
  };
}

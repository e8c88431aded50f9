import { expect, test } from "vitest";
import { readArguments } from "./arguments.ts";

const options = { pin: { type: "string" }, json: { type: "boolean" } } as const;

test("a fingerprint that begins with a dash can be pinned like any other", () => {
  const { values, words } = readArguments("portcullis audit", ["verify", "-", "--pin", "-ucHvwuU", "--json"], options);
  expect({ words, ...values }).toEqual({ words: ["verify", "-"], pin: "-ucHvwuU", json: true });
});

test("what a command does not have is said with where its help is", () => {
  expect(() => readArguments("portcullis audit", ["--nothing"], options)).toThrow(/See portcullis audit --help$/);
});

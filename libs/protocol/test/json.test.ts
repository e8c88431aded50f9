import { describe, expect, test } from "vitest";
import { parseClientPlaintext, parseDenied, parseOpenPayload, utf8 } from "../src/mod.ts";

describe("a name that comes twice in one object is malformed, wherever and however it is written", () => {
  const dst = '"dst":{"label":"l","path":"p","query":"","id":null}';
  test.each([
    ["at the top", () => parseDenied('{"t":"denied","code":"rate","code":"denied"}')],
    ["with the same value", () => parseDenied('{"t":"denied","code":"rate","code":"rate"}')],
    ["escaped", () => parseDenied('{"t":"denied","code":"rate","\\u0063ode":"denied"}')],
    ["with blanks", () => parseDenied('{"t":"denied","code":"rate","code"\n\t :"denied"}')],
    ["nested", () => parseOpenPayload(utf8(`{${dst.replace('"id"', '"path":"q","id"')}}`))],
    ["in an array", () => parseOpenPayload(utf8(`{${dst},"answers":[{"gate":"otp","gate":"otp","value":"1"}]}`))],
    ["among free names", () => parseOpenPayload(utf8(`{${dst},"parameters":{"a":"1","a":"2"}}`))],
    [
      "around an object",
      () => parseClientPlaintext(utf8('{"n":1,"t":"offer","answers":[{"gate":"otp","value":"}"}],"n":1}')),
    ],
  ])("%s", (_where, parse) => {
    expect(parse).toThrow(expect.objectContaining({ code: "malformed" }));
  });

  test.each([
    ["the same name in two objects", `{${dst},"answers":[{"gate":"otp","value":"1"},{"gate":"otp","value":"2"}]}`],
    ["texts that look like names", `{${dst},"parameters":{"a":"\\"a\\":1,{","b":"{\\"dst\\":","c\\\\":"a"}}`],
  ])("%s is fine", (_what, text) => {
    expect(() => parseOpenPayload(utf8(text))).not.toThrow();
  });
});

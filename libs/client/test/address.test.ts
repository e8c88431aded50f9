import { describe, expect, it } from "vitest";
import { addressOf } from "../src/address.ts";

const dst = (url: string, options: Parameters<typeof addressOf>[1] = {}) => addressOf(url, options).dst;

describe("the destination is what the edge derives from the request", () => {
  it.each([
    [
      "ws://localhost:8080/demo/secret/more?id=bob&x=%20",
      { label: "demo", path: "secret/more", query: "id=bob&x=%20", id: "bob" },
    ],
    ["ws://127.0.0.1:8080/Demo/p", { label: "demo", path: "p", query: "", id: null }],
    ["ws://[::1]/demo/p", { label: "demo", path: "p", query: "", id: null }],
    ["wss://Demo.localhost/secret?id=", { label: "demo", path: "secret", query: "id=", id: null }],
    ["wss://demo.localhost./secret", { label: "demo", path: "secret", query: "", id: null }],
    ["wss://demo.example.com/a%2Fb//c?", { label: "a%2fb", path: "/c", query: "", id: null }],
    [
      "wss://h/demo/ü d?id=b%C3%BCb+1&id=x",
      { label: "demo", path: "%C3%BC%20d", query: "id=b%C3%BCb+1&id=x", id: "büb 1" },
    ],
  ])("%s", (url, expected) => expect(dst(url)).toEqual(expected));

  it("the domain decides where the label stands, and the id parameter who one is", () => {
    const options = { domain: "Example.com", idParameter: "myid" };
    expect(dst("wss://demo.example.com:444/secret?myid=bob&id=eve", options)).toEqual({
      label: "demo",
      path: "secret",
      query: "myid=bob&id=eve",
      id: "bob",
    });
    expect(dst("wss://demo.localhost/lab/secret", options)).toMatchObject({ label: "lab", path: "secret" });
  });

  it("a label alone is no address: it may be a path where the label is in the host name, which domain says", () => {
    const url = "wss://demo.example.com/secret";
    expect(() => dst(url)).toThrow(
      new TypeError("The URL has a label and no path. Where the label is in the host name, give domain."),
    );
    expect(dst(url, { domain: "example.com" })).toMatchObject({ label: "demo", path: "secret" });
  });

  it.each(["https://example.com", "example.com:8080", "example.com/", ".example.com", ""])(
    "a domain %j, below which no host name lies, is refused",
    (domain) => expect(() => dst("wss://h/demo/p", { domain })).toThrow(new TypeError("domain is not a host name.")),
  );

  it.each([
    "no url canary",
    "https://h/canary/p",
    "ws://user:canary@h/demo/p",
    "ws://h/demo/canary#f",
    "ws://h/",
    "ws://h/canary",
    "ws://h/canary/?id=bob",
    "wss://canary.localhost/",
    `ws://h/${"canary".repeat(11)}/p`,
    `ws://h/demo/${"canary".repeat(400)}`,
    `ws://h/demo/p?${"canary".repeat(400)}`,
    `ws://h/demo/p?id=${"canary".repeat(22)}`,
  ])("what cannot be one is refused, unrepeated", (url) => {
    const refused = (() => {
      try {
        return addressOf(url, {});
      } catch (error) {
        return error;
      }
    })();
    expect(refused).toBeInstanceOf(TypeError);
    expect(JSON.stringify(refused, Object.getOwnPropertyNames(refused))).not.toMatch(/:\/\/.*canary|canary.*p/);
    expect((refused as TypeError).message).not.toContain("canary");
  });
});

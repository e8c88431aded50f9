import { describe, expect, it } from "vitest";
import { network, networkMatcher, networkOf, parseAddress } from "../src/mod.ts";

describe("a network", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::1", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8:1:2::192.0.2.7", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["1::", "1:0:0:0::/64"],
    ["203.0.113.1", "203.0.113.1"],
    ["unknown", "unknown"],
    ["", "unknown"],
    ["2130706433", "unknown"],
    ["10.0.0.1, 10.0.0.2", "unknown"],
  ])("of %s is %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe("networks that are named", () => {
  const isTrusted = networkMatcher(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"]);
  it.each([
    ["10.255.0.1", true],
    ["11.0.0.1", false],
    ["192.0.2.7", true],
    ["192.0.2.8", false],
    ["::ffff:10.1.2.3", true],
    ["2001:db8:ffff::1", true],
    ["2001:db9::1", false],
    ["::1", true],
    ["::2", false],
  ])("have %s: %s", (text, expected) => {
    const address = parseAddress(text);
    expect(address !== null && isTrusted(address)).toBe(expected);
  });

  it.each(["10.0.0.0/8", "192.0.2.7", "::1", "2001:db8::/32"])("may be %s", (text) => {
    expect(network().parse(text)).toBe(text);
  });
  it.each([
    "",
    "10.0.0.0/33",
    "10/8",
    "0x7f000001",
    "017700000001",
    "2130706433",
    "10.0.0.0/",
    "example.com",
    "::/129",
  ])("may not be %o", (text) => {
    expect(network().safeParse(text).success).toBe(false);
  });
});

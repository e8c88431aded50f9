import { describe, expect, it } from "vitest";
import { type OutboundRule, outboundRule, outboundUrl, parseAddress } from "../src/mod.ts";
import { isPublic } from "../src/outbound.ts";

const rule = (text: string): OutboundRule => outboundRule().parse(text);

describe("an address that is not of the public internet", () => {
  it.each([
    ["this host", "0.0.0.0"],
    ["this network", "0.1.2.3"],
    ["private (10)", "10.0.0.1"],
    ["private (172)", "172.31.255.254"],
    ["private (192)", "192.168.1.1"],
    ["carrier-grade NAT, and Alibaba's metadata", "100.100.100.200"],
    ["loopback", "127.0.0.1"],
    ["loopback, another", "127.255.255.254"],
    ["link-local, cloud metadata", "169.254.169.254"],
    ["protocol assignments, Oracle's metadata", "192.0.0.192"],
    ["Azure's host", "168.63.129.16"],
    ["documentation", "192.0.2.1"],
    ["6to4 relays", "192.88.99.1"],
    ["benchmarks", "198.19.0.1"],
    ["documentation 2", "198.51.100.1"],
    ["documentation 3", "203.0.113.1"],
    ["multicast", "224.0.0.1"],
    ["reserved", "240.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["unspecified (v6)", "::"],
    ["loopback (v6)", "::1"],
    ["IPv4-mapped", "::ffff:169.254.169.254"],
    ["IPv4-mapped in hexadecimal", "::ffff:7f00:1"],
    ["IPv4-compatible", "::127.0.0.1"],
    ["IPv4-translated", "::ffff:0:127.0.0.1"],
    ["NAT64", "64:ff9b::a9fe:a9fe"],
    ["NAT64, local", "64:ff9b:1::7f00:1"],
    ["discard", "100::1"],
    ["Teredo", "2001::1"],
    ["benchmarks (v6)", "2001:2::1"],
    ["ORCHID", "2001:20::1"],
    ["documentation (v6)", "2001:db8::1"],
    ["documentation 2 (v6)", "3fff::1"],
    ["6to4 of loopback", "2002:7f00:1::1"],
    ["unique local, AWS's metadata", "fd00:ec2::254"],
    ["unique local", "fc00::1"],
    ["link-local (v6)", "fe80::1"],
    ["link-local with a zone", "fe80::1%eth0"],
    ["site-local", "fec0::1"],
    ["multicast (v6)", "ff02::1"],
    ["unassigned", "4000::1"],
  ])("%s: %s", (_, text) => {
    const address = parseAddress(text);
    expect(address === null || isPublic(address)).toBe(false);
    const host = text.includes(":") ? `[${text.split("%")[0]}]` : text;
    expect(outboundUrl(`https://${host}/hook`, [])).toBeNull();
  });

  it.each(["93.184.215.14", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])("is not %s", (text) => {
    const address = parseAddress(text);
    expect(address !== null && isPublic(address)).toBe(true);
  });
});

describe("an address that an owner chose", () => {
  it.each(["https://hooks.example.com/a?b=c", "https://hooks.example.com:443/", "https://8.8.8.8/x"])(
    "is taken: %s",
    (text) => {
      expect(outboundUrl(text, [])?.protocol).toBe("https:");
    },
  );

  it.each([
    ["plain HTTP", "http://hooks.example.com/"],
    ["another port", "https://hooks.example.com:6379/"],
    ["another protocol", "gopher://hooks.example.com/"],
    ["a file", "file:///etc/passwd"],
    ["credentials", "https://user:password@hooks.example.com/"],
    ["a name that hides the host", "https://hooks.example.com@127.0.0.1/"],
    ["a fragment", "https://hooks.example.com/#a"],
    ["loopback as one number", "https://2130706433/"],
    ["loopback in octal", "https://0177.0.0.1/"],
    ["loopback in hexadecimal", "https://0x7f.1/"],
    ["loopback with the dot of the root", "https://127.0.0.1./"],
    ["a line break", "https://hooks.example.com/\r\nhost: x"],
    ["no URL", "hooks.example.com"],
    ["one too long", `https://hooks.example.com/${"a".repeat(2_048)}`],
  ])("is refused: %s", (_, text) => {
    expect(outboundUrl(text, [])).toBeNull();
  });

  it("may be inside where the operator allows it, and only there", () => {
    const allow = [rule("http://127.0.0.1"), rule("10.1.0.0/16"), rule("hooks.internal")];
    expect(outboundUrl("http://127.0.0.1:9000/", allow)).not.toBeNull();
    expect(outboundUrl("https://10.1.2.3:8443/", allow)).not.toBeNull();
    expect(outboundUrl("https://hooks.internal:8443/", allow)).not.toBeNull();
    expect(outboundUrl("http://10.1.2.3/", allow)).toBeNull();
    expect(outboundUrl("https://10.2.0.1/", allow)).toBeNull();
    expect(outboundUrl("http://127.0.0.2/", allow)).toBeNull();
    expect(outboundUrl("https://169.254.169.254/", allow)).toBeNull();
  });
});

describe("the setting", () => {
  it.each(["10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8", "hooks.internal", "http://localhost"])("takes %s", (text) => {
    expect(outboundRule().safeParse(text).success).toBe(true);
  });
  it.each(["", "10.0.0.0/99", "a b", "https://hooks.internal", "hooks.internal/x", "*", "hooks.internal:80"])(
    "refuses %j",
    (text) => {
      expect(outboundRule().safeParse(text).success).toBe(false);
    },
  );
});

import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** IPv4 as people write it: the library also takes octal, hexadecimal and one number. IPv4 in IPv6 is written as IPv4. */
function read(text: string): Address | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(":") || text.includes("%") || !ipaddr.IPv6.isValid(text)) return null;
  return ipaddr.IPv6.parse(text);
}

function readNetwork(text: string): readonly [Address, number] | null {
  const [base = "", prefix, ...more] = text.split("/");
  const address = read(base);
  if (address === null || more.length > 0) return null;
  const bits = address.kind() === "ipv4" ? 32 : 128;
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) return null;
  if (prefix === undefined) return [address, bits];
  return /^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= bits ? [address, Number(prefix)] : null;
}

/** An address, or a network in CIDR notation. */
export function isNetwork(text: string): boolean {
  return readNetwork(text) !== null;
}

/**
 * Whether the address lies in one of the networks. IPv4 that came as IPv6 (`::ffff:10.0.0.1`, as a socket that serves both reports it) is the
 * IPv4 address that it is: nobody is somewhere else because of how a server listens.
 *
 * @returns null where the text is no address: nothing can be said then
 */
export function liesIn(address: string, networks: readonly string[]): boolean | null {
  const parsed = read(address.split("%", 1)[0] ?? "");
  if (parsed === null) return null;
  const plain = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed;
  return networks.some((each) => {
    const network = readNetwork(each);
    return network !== null && network[0].kind() === plain.kind() && plain.match(network[0], network[1]);
  });
}

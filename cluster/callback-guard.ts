/**
 * Decides which addresses a callback may reach. Users write the URLs, so without this the service could be made to talk
 * to whatever it can reach: itself, its neighbours, the metadata service of a cloud.
 *
 * The same rules hold when a URL is stored (literal addresses, `localhost` and the names of metadata services, nothing is
 * resolved) and at every call (all addresses that the name resolves to). Any port of a public address is allowed. Source: reliability C1–C3, C10.
 */
import ipaddr from "ipaddr.js";
import { SlctError } from "../src/errors.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** What may be called although it is not public. */
export interface CallbackAllow {
  /** Host names, lower case; whatever they resolve to. */
  readonly hosts: ReadonlySet<string>;
  readonly networks: readonly (readonly [Address, number])[];
}

const uriCharsMax = 2048;
/** The URL parser takes such a host for an IPv4 address, so it never is a name. */
const endsInNumber = /(^|\.)([0-9]+|0x[0-9a-f]*)$/i;

/** Beyond what ipaddr.js knows as special: addresses that look public and are not, or not everywhere. */
const special = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "2620:4f:8000::/48",
  "3fff::/20",
].map((network) => ipaddr.parseCIDR(network));
/** Everything else of IPv6 is not handed out: loopback, mapped, NAT64, local, link-local, multicast. */
const global6 = ipaddr.parseCIDR("2000::/3");
/** What clouds call their metadata service: refused when it is stored, not only once it resolves. */
const metadataHosts = new Set(["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"]);

/**
 * @param entries host names, addresses and CIDR networks
 * @throws Error that names the entry that is none of these
 */
export function parseAllow(entries: readonly string[]): CallbackAllow {
  const hosts = new Set<string>();
  const networks: (readonly [Address, number])[] = [];
  for (const entry of entries) {
    const bare = entry.trim().replace(/^\[(.*)\]$/, "$1");
    const address = parseAddress(bare);
    if (address !== undefined) networks.push([address, address.kind() === "ipv4" ? 32 : 128]);
    else if (ipaddr.isValidCIDR(bare)) networks.push(ipaddr.parseCIDR(bare));
    else if (/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i.test(bare) && !endsInNumber.test(bare)) hosts.add(bare.toLowerCase());
    else throw new Error(`not a host name, address or network: ${JSON.stringify(entry)}`);
  }
  return { hosts, networks };
}

/** The check of {@link checkCallbackUrl} as a function of the URL alone. */
export function createCallbackCheck(entries: readonly string[]): (uri: string) => void {
  const allow = parseAllow(entries);
  return (uri) => void checkCallbackUrl(uri, allow);
}

/**
 * @returns the URL as it would be called
 * @throws SlctError `bad_request` when it is not an http or https URL; `callback_blocked` when it may not be called
 */
export function checkCallbackUrl(uri: string, allow: CallbackAllow): URL {
  const url = parseUrl(uri);
  const host = hostOf(url);
  const address = parseAddress(host);
  const passes = address === undefined ? mayResolve(host, allow) : isAllowed(address, allow);
  if (!passes)
    throw blocked("The callback address is private, local or reserved, and not allowed by the configuration.");
  return url;
}

/**
 * Checks what a host resolved to: every address has to pass, or a name could hide a private one among public ones.
 * @throws SlctError `callback_blocked`
 */
export function checkResolved(host: string, addresses: readonly string[], allow: CallbackAllow): void {
  const name = bareHost(host);
  if (addresses.length === 0) throw blocked("The callback host has no address.");
  if (allow.hosts.has(name)) return;
  for (const text of addresses) {
    const address = parseAddress(text);
    const passes = address !== undefined && (isAllowed(address, allow) || (isLocalName(name) && isLoopback(address)));
    if (!passes || (isLocalName(name) && !allowsLoopback(allow)))
      throw blocked("The callback host resolves to a private, local or reserved address.");
  }
}

/** Host of a URL as the resolver takes it: lower case, without brackets or a final dot. */
export function hostOf(url: URL): string {
  return bareHost(url.hostname.replace(/^\[(.*)\]$/, "$1"));
}

/** `localhost` and what stands below it: never asked of a resolver, always the loopback addresses (RFC 6761). */
export function isLocalName(host: string): boolean {
  return host === "localhost" || host === "localhost.localdomain" || host.endsWith(".localhost");
}

function parseUrl(uri: string): URL {
  // The URL parser drops white space and control characters without a word.
  const clean = uri.length <= uriCharsMax && !/[\u0000-\u0020\u007f]/.test(uri);
  const url = clean && URL.canParse(uri) ? new URL(uri) : null;
  if (url === null)
    throw new SlctError("bad_request", `The callback URI is not a URL of at most ${uriCharsMax} characters.`);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new SlctError("bad_request", "The callback URI has to be http or https.");
  if (url.username !== "" || url.password !== "")
    throw new SlctError("bad_request", "The callback URI must not carry a user or password.");
  if (uri.includes("#")) throw new SlctError("bad_request", "The callback URI must not have a fragment.");
  return url;
}

function mayResolve(host: string, allow: CallbackAllow): boolean {
  if (allow.hosts.has(host)) return true;
  return isLocalName(host) ? allowsLoopback(allow) : !metadataHosts.has(host);
}

function isAllowed(address: Address, allow: CallbackAllow): boolean {
  return isPublic(address) || allow.networks.some((network) => isWithin(address, network));
}

function isPublic(address: Address): boolean {
  if (address.range() !== "unicast") return false;
  if (address.kind() === "ipv6" && !isWithin(address, global6)) return false;
  return !special.some((network) => isWithin(address, network));
}

function isLoopback(address: Address): boolean {
  return address.range() === "loopback";
}

const loopbacks = [ipaddr.parse("127.0.0.1"), ipaddr.parse("::1")];

function allowsLoopback(allow: CallbackAllow): boolean {
  return loopbacks.some((address) => allow.networks.some((network) => isWithin(address, network)));
}

function isWithin(address: Address, [network, bits]: readonly [Address, number]): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

/** An IPv4 address mapped into IPv6 is that IPv4 address: it is what the connection would go to. */
function parseAddress(text: string): Address | undefined {
  const bare = text.replace(/%.*$/, "");
  if (!ipaddr.IPv6.isValid(bare) && !ipaddr.IPv4.isValidFourPartDecimal(bare)) return undefined;
  const address = ipaddr.parse(bare);
  const parts = "parts" in address ? address.parts : [];
  const isMapped = parts.length > 0 && parts.slice(0, 5).every((part) => part === 0) && parts[5] === 0xffff;
  return isMapped ? (address as ipaddr.IPv6).toIPv4Address() : address;
}

/** Lower case, without a final dot. */
export function bareHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

function blocked(message: string): SlctError {
  return new SlctError("callback_blocked", message);
}

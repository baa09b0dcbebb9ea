import { describe, expect, it } from "vitest";
import { SlctError } from "../../src/errors.js";
import { checkCallbackUrl, checkResolved, createCallbackCheck, parseAllow } from "../../cluster/callback-guard.js";

const nothing = parseAllow([]);

function codeOf(run: () => unknown): string {
  try {
    run();
    return "ok";
  } catch (error) {
    if (error instanceof SlctError) return error.code;
    throw error;
  }
}

describe("checkCallbackUrl, nothing allowed", () => {
  it.each([
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "１２７.０.０.１",
    "127。0。0。1",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "168.63.129.16",
    "169.254.169.254",
    "0xa9fea9fe",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::8.8.8.8]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[100::1]",
    "[2001::1]",
    "[2001:10::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::]",
    "[2002:808:808::1]",
    "[3fff::1]",
    "[4000::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "app.localhost",
    "localhost.localdomain",
    "metadata.google.internal",
    "Metadata.Goog.",
    "instance-data.ec2.internal",
  ])("blocks %s", (host) => {
    expect(codeOf(() => checkCallbackUrl(`http://${host}:8080/hook`, nothing))).toBe("callback_blocked");
  });

  it.each([
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "[::ffff:8.8.8.8]",
    "[2606:4700::1111]",
    "[2a00:1450::1]",
    "hooks.example.com",
    "localhost.example.com",
    "xn--nxasmq6b.example",
  ])("passes %s", (host) => {
    expect(codeOf(() => checkCallbackUrl(`https://${host}:8443/hook?x=1`, nothing))).toBe("ok");
  });

  it.each([
    "",
    "hook",
    "/hook",
    "//example.com/hook",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:70/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "http://",
    "http://[::1",
    "http://1.2.3.4.5.6.7/",
    "http://999.1.1.1/",
    "http://example.com:99999/",
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://:secret@example.com/",
    "http://example.com/#part",
    "http://example.com/#",
    " http://example.com/",
    "http://exa\tmple.com/",
    "http://example.com/\r\nx: y",
    `http://example.com/${"x".repeat(2048)}`,
  ])("does not take %j for a callback", (uri) => {
    expect(codeOf(() => checkCallbackUrl(uri, nothing))).toBe("bad_request");
  });

  it("gives back the URL that would be called", () => {
    expect(checkCallbackUrl("HTTP://EXAMPLE.com:80/a/../b", nothing).href).toBe("http://example.com/b");
  });
});

describe("what the configuration allows", () => {
  const check = (entries: string[], uri: string) => codeOf(() => createCallbackCheck(entries)(uri));

  it.each<[string[], string, string]>([
    [["127.0.0.0/8"], "http://127.0.0.1:3000/", "ok"],
    [["127.0.0.0/8"], "http://127.9.9.9/", "ok"],
    [["127.0.0.0/8"], "http://[::ffff:127.0.0.1]/", "ok"],
    [["127.0.0.0/8"], "http://localhost:3000/", "ok"],
    [["127.0.0.0/8"], "http://app.localhost/", "ok"],
    [["127.0.0.0/8"], "http://[::1]/", "callback_blocked"],
    [["127.0.0.0/8"], "http://10.0.0.1/", "callback_blocked"],
    [["::1"], "http://[::1]:3000/", "ok"],
    [["[::1]"], "http://[::1]:3000/", "ok"],
    [["::1"], "http://127.0.0.1/", "callback_blocked"],
    [["10.1.2.3"], "http://10.1.2.3/", "ok"],
    [["10.1.2.3"], "http://10.1.2.4/", "callback_blocked"],
    [["10.0.0.0/8", "fd00::/8"], "http://[fd12::1]/", "ok"],
    [["localhost"], "http://localhost/", "ok"],
    [["localhost"], "http://127.0.0.1/", "callback_blocked"],
    [["Hooks.Internal"], "http://hooks.internal/", "ok"],
    [["metadata.goog"], "http://metadata.goog/", "ok"],
  ])("%j and %s: %s", (entries, uri, expected) => {
    expect(check(entries, uri)).toBe(expected);
  });

  it.each(["", "10.0.0.0/33", "http://x", "a b", "*", "10.0.0", "host.0x1"])("refuses the entry %j", (entry) => {
    expect(() => parseAllow([entry])).toThrow("not a host name, address or network");
  });
});

describe("checkResolved", () => {
  it.each<[string, string[], string[], string]>([
    ["one public", ["8.8.8.8"], [], "ok"],
    ["two public", ["8.8.8.8", "2606:4700::1111"], [], "ok"],
    ["one private", ["10.0.0.1"], [], "callback_blocked"],
    ["public and private", ["8.8.8.8", "10.0.0.1"], [], "callback_blocked"],
    ["private and public", ["127.0.0.1", "8.8.8.8"], [], "callback_blocked"],
    ["public and mapped private", ["8.8.8.8", "::ffff:10.0.0.1"], [], "callback_blocked"],
    ["metadata", ["169.254.169.254"], [], "callback_blocked"],
    ["link-local with a zone", ["fe80::1%eth0"], [], "callback_blocked"],
    ["nothing", [], [], "callback_blocked"],
    ["no address", ["nonsense"], [], "callback_blocked"],
    ["allowed network", ["10.0.0.1", "8.8.8.8"], ["10.0.0.0/8"], "ok"],
    ["allowed network and another", ["10.0.0.1", "192.168.0.1"], ["10.0.0.0/8"], "callback_blocked"],
    ["allowed host", ["10.0.0.1", "192.168.0.1"], ["hooks.example"], "ok"],
  ])("%s", (_, addresses, entries, expected) => {
    expect(codeOf(() => checkResolved("hooks.example", addresses, parseAllow(entries)))).toBe(expected);
  });

  it("lets localhost be loopback and nothing else, where loopback is allowed", () => {
    const allow = parseAllow(["127.0.0.0/8"]);
    expect(codeOf(() => checkResolved("localhost", ["127.0.0.1", "::1"], allow))).toBe("ok");
    expect(codeOf(() => checkResolved("x.localhost", ["10.0.0.1"], allow))).toBe("callback_blocked");
    expect(codeOf(() => checkResolved("localhost", ["127.0.0.1"], nothing))).toBe("callback_blocked");
    expect(codeOf(() => checkResolved("other.example", ["::1"], allow))).toBe("callback_blocked");
  });
});

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigError, configurationFile, configurationPage, helpText, parseConfig } from "../src/config.js";
import { flagOf, options, variableOf, type OptionName } from "../src/options.js";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const required = ["--id", "n1", "--cluster-id", "c", "--data-dir", "/tmp/d", "--callback-secrets", secret];
const members =
  "n1=127.0.0.1:9001=http://127.0.0.1:8081/,n2=[::1]:9002=http://[::1]:8082 n3=db-3.internal:9003=https://db-3.internal";

function problemsOf(argv: readonly string[], env: Record<string, string> = {}): readonly string[] {
  try {
    parseConfig({ argv, env });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("values", () => {
  test("defaults make a cluster of one", () => {
    const { node, api, logLevel } = parseConfig({ argv: required, env: {} });
    expect(node.members).toEqual([{ id: "n1", peer: "127.0.0.1:0", api: "http://127.0.0.1:8081" }]);
    expect(node.settings).toEqual({
      attemptsMax: 10,
      retentionMs: 7 * 24 * 3_600_000,
      requestMemoryMs: 24 * 3_600_000,
      selectsMax: 1024,
      callbackLeaseMs: 30_000,
    });
    expect(node.callback.secrets).toEqual([secret]);
    expect(api).toMatchObject({ host: "127.0.0.1", port: 8081, limits: { bodyBytesMax: 4 << 20, jsonDepthMax: 64 } });
    expect(logLevel).toBe("info");
  });

  test("a stall of 500 ms deposes nobody, and a dead leader is replaced within 1.5 s", () => {
    const { node } = parseConfig({ argv: required, env: {} });
    const heartbeatMs = node.heartbeatTicks * node.tickMs;
    const patienceMs = node.electionTicks * node.tickMs;
    expect(patienceMs).toBeGreaterThanOrEqual(500 + heartbeatMs);
    expect(2 * patienceMs + heartbeatMs).toBeLessThan(1500);
  });

  test("flags win over variables, and --flag=value is --flag value", () => {
    const env = { SLCT_ELECTION_TIMEOUT_MS: "900", SLCT_TICK_MS: "10", PATH: "/bin" };
    const { node } = parseConfig({ argv: [...required, "--election-timeout-ms=1200"], env });
    expect(node).toMatchObject({ tickMs: 10, electionTicks: 120, heartbeatTicks: 10 });
  });

  test("times that are no whole number of ticks are rounded up", () => {
    const { node } = parseConfig({ argv: [...required, "--tick-ms", "40", "--election-timeout-ms", "610"], env: {} });
    expect(node).toMatchObject({ electionTicks: 16, heartbeatTicks: 3 });
  });

  test("members, split at commas or white space", () => {
    const { node } = parseConfig({ argv: [...required, "--members", members], env: {} });
    expect(node.members).toEqual([
      { id: "n1", peer: "127.0.0.1:9001", api: "http://127.0.0.1:8081" },
      { id: "n2", peer: "[::1]:9002", api: "http://[::1]:8082" },
      { id: "n3", peer: "db-3.internal:9003", api: "https://db-3.internal" },
    ]);
    expect(node.join).toBe(false);
  });

  test.each([
    [["--join"], {}, true],
    [["--join=yes"], {}, true],
    [["--join=no"], { SLCT_JOIN: "yes" }, false],
    [[], { SLCT_JOIN: "yes" }, true],
  ])("a flag without a value: %j %j", (flags, env, expected) => {
    const argv = [...required, ...flags, "--members", members];
    expect(parseConfig({ argv, env }).node.join).toBe(expected);
  });
});

describe("problems", () => {
  test("all of them come in one message", () => {
    const argv = ["--id", "n 1", "--speed", "9", "--port", "seven", "--port", "8", "stray", "--tick-ms"];
    const env = { SLCT_COLOUR: "red", SLCT_LOG_LEVEL: "loud", SLCT_CALLBACK_SLOTS: "0" };
    expect(problemsOf(argv, env)).toMatchInlineSnapshot(`
      [
        "SLCT_COLOUR is not a known variable",
        "--speed is not a known flag",
        ""9" belongs to no flag",
        "--port is given twice",
        ""stray" belongs to no flag",
        "--tick-ms has no value",
        "--id must be 1–64 letters, digits, dots, dashes or underscores; it is "n 1"",
        "--cluster-id (or SLCT_CLUSTER_ID) is missing: ID of the cluster: members of another cluster are refused",
        "--data-dir (or SLCT_DATA_DIR) is missing: directory of this node's log and records; created if missing",
        "SLCT_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent; it is "loud"",
      ]
    `);
  });

  test.each([
    [["--port", "65536"], "--port must be a whole number in 0–65535"],
    [["--port", "-1"], "--port must be a whole number in 0–65535"],
    [["--port", "1e3"], "--port must be a whole number"],
    [["--port="], "--port must be a whole number"],
    [["--callback-jitter", "1.5"], "--callback-jitter must be a number in 0–1"],
    [["--callback-secrets", "whsec_c2hvcnQ="], "whsec_"],
    [["--callback-secrets", ""], "callbacks are signed"],
    [["--members", "n1"], "id=host:port=url"],
    [["--members", "n1=host:0=http://h"], "id=host:port=url"],
    [["--members", "n2=h:1=http://h"], 'does not name this node, "n1"'],
    [["--members", "n1=h:1=http://h,n1=h:2=http://h"], "names an ID twice"],
    [["--members", "n1=h:1=http://h,n2=h:1=http://h"], "names a peer address twice"],
    [["--join"], "--members must name this node when it joins"],
    [["--join=maybe", "--members", "n1=h:1=http://h"], "--join must be yes or no"],
    [["--peer-listen", "7001"], "--peer-listen must be host:port"],
    [["--heartbeat-ms", "20"], "--heartbeat-ms (20) must be at least --tick-ms (25)"],
    [["--heartbeat-ms", "200"], "--election-timeout-ms (600) must be at least 4 times --heartbeat-ms (200)"],
    [["--body-bytes-soft", "5000000"], "--body-bytes-max (4194304) must be at least --body-bytes-soft (5000000)"],
    [["--callback-timeout-ms", "30000"], "must be below --callback-lease-ms (30000)"],
  ])("%j", (extra, problem) => {
    const argv = [...required];
    if (extra[0] === "--callback-secrets") argv.splice(-2);
    const problems = problemsOf([...argv, ...extra]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });
});

describe("pages", () => {
  const names = Object.keys(options) as OptionName[];

  test("every default is a legal value of its option", () => {
    for (const name of names) {
      const option = options[name];
      if ("default" in option && option.default !== undefined)
        expect(() => option.read(option.default ?? ""), name).not.toThrow();
    }
  });

  test("--help names every option with its variable's rule, default and unit", () => {
    const help = helpText();
    for (const name of names) expect(help).toMatch(new RegExp(`^--${flagOf(name)} +\\S`, "m"));
    expect(help).toMatch(/^--election-timeout-ms +600 +ms /m);
  });

  test("docs/configuration.md is up to date (REWRITE=1 rewrites it)", () => {
    const file = join(import.meta.dirname, "..", configurationFile);
    if (process.env["REWRITE"] === "1") writeFileSync(file, configurationPage());
    expect(readFileSync(file, "utf8")).toBe(configurationPage());
    expect(configurationPage()).toContain(`\`${variableOf("electionTimeoutMs")}\` | \`600\` | ms`);
  });
});

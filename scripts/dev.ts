/**
 * One node in a temporary directory, gone at exit: `npm run dev -- [--port P] [node flags]`.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const cluster = fileURLToPath(new URL("cluster.js", import.meta.url));
const data = mkdtempSync(join(tmpdir(), "slct-dev-"));
const child = spawn(process.execPath, [cluster, "--nodes", "1", "--data", data, "--greet", ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.on("SIGINT", () => child.kill("SIGTERM"));
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.once("exit", (code) => {
  rmSync(data, { recursive: true, force: true });
  process.exit(code ?? 1);
});

// npm start: everything a fresh clone needs, then a local cluster. `npm start -- --exercise` also breaks and heals it.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensureServer } from "./ensure-server.mjs";
import { buildExecutable, installDependencies, pinnedEnvironment, root } from "./set-up.mjs";

installDependencies();
buildExecutable();
ensureServer();

const child = spawn(join(root, "dist/rekindle"), ["up", ...process.argv.slice(2)], {
  stdio: "inherit",
  env: pinnedEnvironment(),
});
// The terminal sends Ctrl-C to the child as well; it cleans up, and we end when it has.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));

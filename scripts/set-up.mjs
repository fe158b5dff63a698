// Makes a fresh clone ready: dependencies (and with them the pinned Node), and with --build the executable.
// Runs on any Node from 20 on; everything after it runs on the pinned one.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { canInstall, installPackages, isDebian } from "./debian-packages.mjs";
import { fail, say } from "./say.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));
const node = join(root, "node_modules/.bin/node");

/** Installs what the lockfile says, unless it is installed. */
export function installDependencies() {
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  const stamp = join(root, "node_modules/.rekindle-installed");
  if (existsSync(stamp) && existsSync(node) && readFileSync(stamp, "utf8") === lock) return;
  say("installing dependencies (npm ci)");
  // npm of Node 20 warns that some packages want a newer Node; they get it, it is one of the packages. Their install scripts
  // build what we do not use, and would run on a Node that may not start yet.
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (!existsSync(node))
    fail(
      `there is no Node 26 package for ${process.platform} on ${process.arch}`,
      "use Linux or macOS on x64 or arm64",
    );
  ensureNodeStarts();
  writeFileSync(stamp, lock);
}

/** Node 26 for Linux needs libatomic, which a small system does not have. */
function ensureNodeStarts() {
  const start = () => spawnSync(node, ["--version"], { encoding: "utf8" });
  const { status, stderr } = start();
  if (status === 0) return;
  if (!stderr?.includes("libatomic")) fail(`${node} does not start`, stderr?.trim() ?? "");
  if (!canInstall) {
    fail(
      "Node 26 does not start without libatomic.so.1",
      isDebian
        ? "install it: sudo apt-get install libatomic1"
        : "install your system's package libatomic",
    );
  }
  installPackages(["libatomic1"]);
  if (start().status !== 0) fail(`${node} does not start`, "see above for what is missing");
}

/** Builds dist/rekindle, unless it is newer than everything it is made of. */
export function buildExecutable() {
  const target = join(root, "dist/rekindle");
  const sources = [
    ...listFiles("src"),
    "package.json",
    "package-lock.json",
    "scripts/build.mjs",
  ].map((file) => join(root, file));
  const builtAt = existsSync(target) ? statSync(target).mtimeMs : 0;
  if (sources.every((file) => statSync(file).mtimeMs < builtAt)) return;
  say("building dist/rekindle");
  run(node, [join(root, "scripts/build.mjs")]);
}

function listFiles(folder) {
  const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)));
}

/** Runs a command with our output; ends this process with its exit code where it fails. */
export function run(command, args, options = {}) {
  try {
    execFileSync(command, args, {
      cwd: root,
      stdio: "inherit",
      env: pinnedEnvironment(),
      ...options,
    });
  } catch (thrown) {
    process.exit(thrown.status ?? 1);
  }
}

/** The environment in which `node` is the pinned one. */
export function pinnedEnvironment() {
  return { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}` };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  installDependencies();
  if (process.argv.includes("--build")) buildExecutable();
}

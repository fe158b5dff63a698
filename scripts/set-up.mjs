// Makes a fresh clone ready: dependencies (and with them the pinned Node), and with --build the executable.
// Runs on any Node from 20 on; everything after it runs on the pinned one.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const node = join(root, "node_modules/.bin/node");

/** Installs what the lockfile says, unless it is installed. */
export function installDependencies() {
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  const stamp = join(root, "node_modules/.rekindle-installed");
  if (existsSync(stamp) && existsSync(node) && readFileSync(stamp, "utf8") === lock) return;
  say("installing dependencies (npm ci)");
  // npm of Node 20 warns that some packages want a newer Node; they get it, it is one of the packages.
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (!existsSync(node))
    fail(
      `there is no Node 26 package for ${process.platform} on ${process.arch}`,
      "use Linux or macOS on x64 or arm64",
    );
  writeFileSync(stamp, lock);
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

export function say(line) {
  process.stderr.write(`rekindle: ${line}\n`);
}

export function fail(line, hint) {
  say(`${line}; ${hint}`);
  process.exit(78);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  installDependencies();
  if (process.argv.includes("--build")) buildExecutable();
}

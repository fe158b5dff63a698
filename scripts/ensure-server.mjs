// A redis-server for this machine, where it has none: Debian's package as root, else a line that says what to install.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fail, say } from "./set-up.mjs";

const onPath = (name) =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));

export function ensureServer() {
  if (onPath("redis-server") || onPath("valkey-server")) return;
  const isDebian = existsSync("/usr/bin/apt-get");
  if (!isDebian || process.getuid?.() !== 0) {
    fail(
      "there is no redis-server or valkey-server on the PATH",
      isDebian
        ? "install one: sudo apt-get install redis-server"
        : "install one: brew install redis, or your system's package",
    );
  }
  installPackages(["redis-server"]);
}

/** As root on Debian. Packages must not start services: what runs here is started by us. */
export function installPackages(packages) {
  say(`installing ${packages.join(", ")} (apt-get)`);
  const options = {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
  };
  execFileSync("apt-get", ["update", "-qq"], options);
  execFileSync(
    "apt-get",
    ["install", "-y", "-qq", "--no-install-recommends", ...packages],
    options,
  );
}

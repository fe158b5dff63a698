// A redis-server for this machine, where it has none: Debian's package as root, else a line that says what to install.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { canInstall, installPackages, isDebian } from "./debian-packages.mjs";
import { fail } from "./say.mjs";

const onPath = (name) =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));

export function ensureServer() {
  if (onPath("redis-server") || onPath("valkey-server")) return;
  if (!canInstall) {
    fail(
      "there is no redis-server or valkey-server on the PATH",
      isDebian
        ? "install one: sudo apt-get install redis-server"
        : "install one: brew install redis, or your system's package",
    );
  }
  installPackages(["redis-server"]);
}

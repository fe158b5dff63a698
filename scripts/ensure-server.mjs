// A redis-server for this machine, where it has none: Debian's package as root, else a line that says what to install. The tests
// of the metrics need a few tools more.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { canInstall, installPackages, isDebian } from "./debian-packages.mjs";
import { fail, say } from "./say.mjs";

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

/** For the tests of the metrics; without them they are skipped. */
export function ensureMetricsTools() {
  // Debian's packages are called as their programs; promtool comes with Prometheus.
  const tools = ["prometheus", "prometheus-redis-exporter"];
  const missing = () => tools.filter((name) => !onPath(name));
  try {
    if (missing().length > 0 && canInstall) installPackages(missing());
  } catch {
    // A distribution without these packages: apt-get has said so.
  }
  if (missing().length > 0)
    say(
      `there is no ${missing().join(" and no ")} on the PATH: the tests of the metrics are skipped`,
    );
}

// Debian's packages, where this machine has such and we may install them.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { say } from "./say.mjs";

export const isDebian = existsSync("/usr/bin/apt-get");
export const canInstall = isDebian && process.getuid?.() === 0;

/** Packages must not start services: what runs here is started by us. */
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

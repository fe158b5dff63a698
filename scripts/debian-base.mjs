// Base images from Debian's packages alone: debootstrap makes a small system, docker import makes it an image, and apt-get
// inside it installs the server. For machines that reach Debian's mirrors and no image registry.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages, isDebian } from "./debian-packages.mjs";
import { fail, say } from "./say.mjs";

/** Which suite has which server. */
export const bases = {
  "redis6.0": { suite: "bullseye", server: "redis-server" },
  "redis7.0": { suite: "bookworm", server: "redis-server" },
  "redis8.0": { suite: "trixie", server: "redis-server" },
  "redis8.6": { suite: "sid", server: "redis-server", from: "experimental" },
  "valkey8.1": { suite: "trixie", server: "valkey-server" },
  "valkey9.1": { suite: "sid", server: "valkey-server" },
};
export const defaultBase = "redis8.0";

/** Makes the base unless it is there; the image's name. */
export function makeBase(name) {
  const image = `rekindle-base:${name}`;
  if (has(image)) return image;
  const { suite, server, from } = bases[name];
  return install(image, suite, [server], from);
}

/** The S3 server of the tests of the stores: Ceph's gateway. Garage is no package of Debian's (its garagemq is something else). */
export function makeS3Server() {
  const image = "rekindle-test-s3:ceph";
  return has(image)
    ? image
    : install(image, "trixie", ["ceph-mon", "ceph-osd", "radosgw", "ceph-common"]);
}

/** @param from another suite, which the packages are from. */
function install(image, suite, packages, from) {
  const system = makeSystem(suite);
  const names = packages.join(" ");
  say(`installing ${names} from ${from ?? suite}`);
  const source =
    from === undefined
      ? ""
      : `echo "deb ${mirror()} ${from} main" >/etc/apt/sources.list.d/${from}.list && `;
  const target = from === undefined ? "" : `-t ${from} `;
  // Unstable's lists may be older than they say they live; the packages are signed all the same.
  const command = `${source}apt-get -o Acquire::Check-Valid-Until=false update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${target}${names} && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /usr/share/doc /usr/share/man /usr/share/locale`;
  const dockerfile = `FROM ${system}\nRUN ${command}\n`;
  const { status, stderr, stdout } = spawnSync(
    "docker",
    ["build", "--network", "host", "--tag", image, "-"],
    { input: dockerfile, encoding: "utf8" },
  );
  if (status !== 0)
    fail(
      `${names} cannot be installed: ${`${stdout}${stderr}`.trim().split("\n").slice(-4).join(" ")}`,
      "check that Debian's mirror answers",
    );
  return image;
}

function makeSystem(suite) {
  const image = `rekindle-debian:${suite}`;
  if (has(image)) return image;
  if (process.getuid?.() !== 0)
    fail("debootstrap needs root", "run this as root, or name an image with --base");
  if (!existsSync("/usr/sbin/debootstrap")) {
    if (!isDebian) fail("there is no debootstrap", "install it, or name an image with --base");
    installPackages(["debootstrap"]);
  }
  say(`making a Debian ${suite} with debootstrap, about half a minute`);
  const folder = mkdtempSync(join(tmpdir(), "rekindle-base-"));
  const script = `debootstrap --variant=minbase "$1" "$2" "$3" >&2 &&
    tar -C "$2" --exclude=./var/cache/apt/archives/* --exclude=./var/lib/apt/lists/* -c . | docker import - "$4"`;
  const { status, stderr } = spawnSync("sh", ["-c", script, "sh", suite, folder, mirror(), image], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  rmSync(folder, { recursive: true, force: true });
  if (status !== 0)
    fail(
      `a Debian ${suite} cannot be made: ${stderr.trim().split("\n").at(-1)}`,
      "check that Debian's mirror answers",
    );
  return image;
}

const has = (image) =>
  spawnSync("docker", ["image", "inspect", image], { stdio: "ignore" }).status === 0;

/** The machine's own mirror, where it is a Debian. */
function mirror() {
  const files = existsSync("/etc/apt")
    ? ["/etc/apt/sources.list", ...globSync("/etc/apt/sources.list.d/*.{list,sources}")]
    : [];
  const texts = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, "utf8"));
  const found = texts.flatMap((text) => [
    ...text.matchAll(/^(?:deb (?:\[[^\]]*\] )?|URIs: *)(https?:\/\/\S+\/debian\/?)(?=\s|$)/gm),
  ]);
  return found[0]?.[1] ?? "http://deb.debian.org/debian";
}

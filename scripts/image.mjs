// npm run image: builds the image. Where no registry answers, its base is made from Debian's packages.
//   --base NAME   a Docker image, or one of the bases below (debian:redis7.0, …)
//   --tag NAME    default rekindle:latest
//   --all         every base below, tagged rekindle:redis6.0 … rekindle:valkey9.1
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { bases, defaultBase, makeBase } from "./debian-base.mjs";
import { fail, say } from "./say.mjs";
import { buildExecutable, root } from "./set-up.mjs";

const { values: options } = parseArgs({
  options: {
    base: { type: "string" },
    tag: { type: "string", default: "rekindle:latest" },
    all: { type: "boolean" },
  },
});

export function docker(args, input) {
  const { status, stderr, stdout } = spawnSync("docker", args, {
    cwd: root,
    encoding: "utf8",
    input,
    maxBuffer: 1 << 26,
  });
  return { ok: status === 0, output: `${stdout ?? ""}${stderr ?? ""}`.trim() };
}

if (!docker(["version"]).ok)
  fail("no Docker engine answers", "install docker.io and start dockerd, or start Docker Desktop");
buildExecutable();
if (options.all) for (const name of Object.keys(bases)) build(makeBase(name), `rekindle:${name}`);
else build(chooseBase(options.base), options.tag);

function chooseBase(named) {
  const debian = /^debian:((?:redis|valkey)[\d.]+)$/.exec(named ?? "")?.[1];
  if (debian !== undefined && !(debian in bases))
    fail(
      `there is no base ${named}`,
      `choose one of ${Object.keys(bases)
        .map((name) => `debian:${name}`)
        .join(", ")}`,
    );
  if (debian !== undefined) return makeBase(debian);
  if (named !== undefined) return named;
  const official = "redis:8.0-bookworm";
  if (docker(["image", "inspect", official]).ok || docker(["pull", official]).ok) return official;
  say(`no registry gives ${official}; making a base with ${defaultBase} from Debian's packages`);
  return makeBase(defaultBase);
}

function build(base, tag) {
  const { ok, output } = docker([
    "build",
    "--build-arg",
    `BASE=${base}`,
    "--file",
    "image/Dockerfile",
    "--tag",
    tag,
    ".",
  ]);
  if (!ok)
    fail(
      `docker build failed: ${output.split("\n").slice(-3).join(" ")}`,
      "mend that and run it again",
    );
  say(`built ${tag} on ${base}`);
}

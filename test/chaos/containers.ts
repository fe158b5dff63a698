/**
 * The backend `containers`: a member is a pod as Kubernetes makes it. One container holds its network, which is wired as that of a
 * process; the server and the healer are containers that share it, and end and start without it.
 */
import { spawnSync } from "node:child_process";
import { run, succeeds } from "./run-command.ts";
import type { Runtime } from "./runtime.ts";

/** Makes the container that holds a namespace, under the namespace's name. */
export async function makePod(
  namespace: string,
  member: string,
  nameServer: string,
  image: string,
): Promise<void> {
  const holding = ["--network", "none", "--hostname", member, "--dns", nameServer];
  await run(
    "docker",
    [
      "run",
      "--detach",
      "--name",
      namespace,
      ...holding,
      "--entrypoint",
      "sleep",
      image,
      "infinity",
    ],
    60_000,
  );
  await run("ip", ["netns", "attach", namespace, `${findPid(namespace)}`]);
}

export async function removePod(namespace: string): Promise<void> {
  const all = ["-main", "-healer", ""].map((suffix) => namespace + suffix);
  await succeeds("docker", ["rm", "--force", "--volumes", ...all]);
}

/** @param namespaceOf a member's, which is also its pod's name. */
export function runInContainers(image: string, namespaceOf: (name: string) => string): Runtime {
  const join = (name: string, part: string) => [
    ...["docker", "run", "--rm", "--name", `${namespaceOf(name)}-${part}`],
    ...["--network", `container:${namespaceOf(name)}`, "--read-only", "--cap-drop", "ALL"],
  ];
  const mounts = (dir: string, config: string) => [
    ...["--volume", `${dir}:/data`, "--volume", `${config}:/conf/redis.conf:ro`],
  ];
  return {
    seenFrom: () => ({ dir: "/data", config: "/conf/redis.conf" }),
    main: ({ name, dir, config }, args) => [
      ...[...join(name, "main"), ...mounts(dir, config), image, ...args],
    ],
    plain: ({ name, dir, config }) => [
      ...[...join(name, "main"), ...mounts(dir, config), "--entrypoint", "redis-server"],
      ...[image, "/data/rekindle.conf"],
    ],
    healer: ({ name }, args) => [...join(name, "healer"), image, ...args],
    drain: ({ name }, args) => [
      ...["docker", "exec", `${namespaceOf(name)}-main`, "rekindle", ...args],
    ],
    // The image's user.
    prepare: async (dir) => void (await run("chown", ["999:999", dir])),
    pidOf: (name) => findPid(`${namespaceOf(name)}-main`),
    kill(name, child, signal) {
      const part = name.includes(" ") ? "healer" : "main";
      const container = `${namespaceOf(name.split(" ")[0] ?? "")}-${part}`;
      const pid = findPid(container);
      try {
        if (pid !== undefined) return void process.kill(pid, signal);
      } catch {
        return; // It ended meanwhile.
      }
      if (signal !== "SIGKILL" && signal !== "SIGTERM") return;
      // It is only just being made.
      child.kill("SIGKILL");
      void succeeds("docker", ["rm", "--force", container]);
    },
  };
}

/** Of its process 1, as this machine sees it; undefined while it does not run. */
function findPid(container: string): number | undefined {
  const format = ["--format", "{{.State.Pid}}"];
  const { stdout } = spawnSync("docker", ["inspect", ...format, container], { encoding: "utf8" });
  return Number(stdout) || undefined;
}

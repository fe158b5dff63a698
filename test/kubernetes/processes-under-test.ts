/**
 * What befalls a pod's processes from outside. The tests' Kubernetes runs its containers on this machine's Docker engine, or is
 * k3s in one of its containers.
 */
import { execFileSync } from "node:child_process";
import { inject } from "vitest";
import type { V1Pod } from "./api-under-test.ts";

export const containerIdOf = ({ status }: V1Pod, container: string): string =>
  status?.containerStatuses?.find(({ name }) => name === container)?.containerID ?? "";

/** Takes the pod's network interface down; its address stays what it was. */
export function cutOff(containerId: string): () => void {
  const [runtime, id = ""] = containerId.split("://");
  if (runtime !== "docker") throw new Error(`no way is known to cut off a pod of ${runtime}`);
  const format = ["inspect", "--format", "{{.State.Pid}}", id];
  const pid = execFileSync("docker", format, { encoding: "utf8" }).trim();
  const ip = (...command: readonly string[]) =>
    execFileSync("nsenter", ["--target", pid, "--net", "ip", ...command], { encoding: "utf8" });
  const routes = ip("route", "show", "default").trim().split(" ");
  ip("link", "set", "eth0", "down");
  return () => {
    ip("link", "set", "eth0", "up");
    // Taken down, it has forgotten the way to everywhere else.
    ip("route", "replace", ...routes);
  };
}

/** kill -9 of its first process. */
export function killContainer(containerId: string): void {
  const [runtime, id = ""] = containerId.split("://");
  const k3s = inject("k3s");
  if (runtime === "docker")
    execFileSync("docker", ["kill", "--signal", "KILL", id], { stdio: "ignore" });
  else if (k3s !== "") {
    const pid = `crictl inspect --output go-template --template '{{.info.pid}}' ${id}`;
    execFileSync("docker", ["exec", k3s, "sh", "-c", `kill -9 $(${pid})`], { stdio: "ignore" });
  } else throw new Error(`no way is known to kill a process of ${runtime} from outside`);
}

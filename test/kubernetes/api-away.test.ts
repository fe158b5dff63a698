/**
 * The API server is stopped for a minute while a node starts. Needs an API server that is a process of this machine.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { isWanted, type V1Pod } from "./api-under-test.ts";
import { createSite, nameOf, pause, type Site, serverOf } from "./site-under-test.ts";

const apiServer = spawnSync("pgrep", ["-x", "kube-apiserver"], { encoding: "utf8" }).stdout?.trim();
const signal = (name: "STOP" | "CONT") => execFileSync("kill", [`-${name}`, apiServer]);

async function restarts(site: Site, pod: V1Pod): Promise<number | undefined> {
  const now = (await site.pods()).find((one) => nameOf(one) === nameOf(pod));
  return now && serverOf(now)?.restartCount;
}

test.skipIf(!isWanted || !apiServer)(
  "a node that starts while the API server is away waits and says so; nothing else is disturbed",
  async () => {
    await using site = await createSite({ manifest: "deployment" });
    const load = await site.startLoad();
    const beta = await site.podOf("beta");
    signal("STOP");
    try {
      await site.kill(beta);
      await pause(60_000);
    } finally {
      signal("CONT");
    }
    await expect.poll(() => restarts(site, beta), { timeout: 60_000, interval: 1_000 }).toBe(1);
    await site.waitUntilWhole();
    const { failures, lost, wrongReads } = await load.end();
    expect({ failures, lost, wrongReads }).toEqual({ failures: [], lost: 0, wrongReads: 0 });
    expect(await site.log(beta)).toMatch(/waiting: the API server \S+ does not answer/);
  },
);

/** The label that Services select the alpha and the betas by. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { type Api, ApiError } from "../../src/kubernetes/api.ts";
import { labelRoles, requireFreeLabel } from "../../src/kubernetes/role-labels.ts";
import type { Pod } from "../../src/kubernetes/types.ts";
import { findNewestAlpha } from "../../src/replication/read-sentinels.ts";
import type { PeerView } from "../../src/replication/types.ts";
import { renderEventScript } from "../../src/sentinel/event-script.ts";
import { pod } from "./pods-under-test.ts";

const key = "redis-role";
const labelled = (name: string, role?: string): Pod => {
  const plain = pod(name);
  const labels = { ...plain.metadata.labels, ...(role && { [key]: role }) };
  return { ...plain, metadata: { ...plain.metadata, labels } };
};

/** @param statuses what the API server answers for the pod of this name; 200 where it says nothing. */
async function mark(
  pods: readonly Pod[],
  alpha: string,
  statuses: Readonly<Record<string, number>> = {},
) {
  const sent: string[] = [];
  const known = new Map(pods.map((one) => [one.metadata.name, one]));
  const api: Api = {
    server: "https://kubernetes",
    namespace: "here",
    watch: () => Promise.reject(new Error("nobody watches")),
    close() {},
    async send<T>(method: string, path: string, body?: unknown): Promise<T> {
      const name = path.split("/").at(-1) ?? "";
      const { metadata } = body as { metadata: { uid: string; labels: Record<string, string> } };
      sent.push(`${method} ${name} ${metadata.labels[key]}`);
      expect(metadata.uid).toBe(`uid-${name}`);
      const status = statuses[name] ?? 200;
      if (status !== 200) throw new ApiError(status, `answer ${status}`);
      return labelled(name, metadata.labels[key]) as T;
    },
  };
  const isChanged = await labelRoles(api, pods, alpha, key, (one) =>
    known.set(one.metadata.name, one),
  );
  return { isChanged, sent, known: [...known.values()] };
}

describe("the role label", () => {
  test("is given to all; the old alpha loses it before the new one gets it", async () => {
    const pods = [labelled("redis-0"), labelled("redis-1", "alpha"), labelled("redis-2", "beta")];
    const { sent, known } = await mark(pods, "redis-0");
    expect(sent).toEqual(["PATCH redis-1 beta", "PATCH redis-0 alpha"]);
    expect((await mark(known, "redis-0")).isChanged).toBe(false);
  });
  test("is left alone where the alpha is none of the pods that are known", async () => {
    expect((await mark([labelled("redis-1", "alpha")], "redis-0")).sent).toEqual([]);
  });
  test("of a pod that is gone, or has a successor of its name, is nobody's trouble", async () => {
    for (const status of [404, 409]) {
      const { sent } = await mark([labelled("redis-0"), labelled("redis-1")], "redis-0", {
        "redis-1": status,
      });
      expect(sent).toContain("PATCH redis-0 alpha");
    }
  });
  test("needs the right to patch pods: the rule to add is named", async () => {
    await expect(mark([labelled("redis-0")], "redis-0", { "redis-0": 403 })).rejects.toMatchObject({
      hint: expect.stringContaining('resources ["pods"], verbs ["patch"]'),
    });
  });
  test("must not be one that the pods are selected by: they would belong to nobody", () => {
    expect(() => requireFreeLabel("app", { matchLabels: { app: "redis" } })).toThrow(/selected by/);
    expect(() =>
      requireFreeLabel("tier", { matchExpressions: [{ key: "tier", operator: "Exists" }] }),
    ).toThrow(/selected by/);
    requireFreeLabel(key, { matchLabels: { app: "redis" } });
  });
});

describe("whom the label names", () => {
  const at = (ordinal: number) => ({ host: `10.0.0.${ordinal}`, port: 6379 });
  const server = (ordinal: number, role: "alpha" | "beta"): PeerView => ({
    name: `redis-${ordinal}`,
    address: { ip: at(ordinal).host, port: 6379, busPort: 16_379 },
    seen: {
      state: "server",
      runId: "",
      role,
      offset: 1,
      keys: 1,
      history: "",
      backlogFrom: 0,
      formerHistory: { id: "", endsAt: -1 },
      betas: [],
      alphaAt: undefined,
      inSync: role === "beta",
    },
  });
  const says = (ordinal: number, epoch: number, promoted?: number) => ({
    alpha: at(ordinal),
    epoch,
    promoted: promoted === undefined ? undefined : at(promoted),
  });
  const nameOf = (...asked: Parameters<typeof findNewestAlpha>) => findNewestAlpha(...asked)?.name;

  test("the alpha of the newest opinion, however many Sentinels are yet to hear of it", () => {
    const servers = [server(1, "alpha"), server(2, "alpha")];
    expect(nameOf(servers, [says(1, 3), says(2, 4), says(1, 3)])).toBe("redis-2");
  });
  test("whom a Sentinel has just promoted, before it names it for good", () => {
    expect(nameOf([server(1, "alpha"), server(2, "alpha")], [says(1, 4, 2), says(1, 3)])).toBe(
      "redis-2",
    );
  });
  test("nobody who does not answer as an alpha", () => {
    expect(nameOf([server(1, "beta"), server(2, "beta")], [says(1, 4)])).toBeUndefined();
  });
});

test("the script that Sentinel runs has ears for a new alpha, and for who is gone or back, no more", () => {
  const says = (...given: readonly string[]) =>
    spawnSync("sh", ["-c", renderEventScript("/bin/echo", {}), "on-event", ...given], {
      encoding: "utf8",
    }).stdout;
  expect(says("mymaster", "leader", "start", "10.0.0.1", "6379", "10.0.0.2", "6379")).toBe(
    "tend\n",
  );
  expect(says("+sdown", "slave 10.0.0.1:6379 10.0.0.1 6379 @ mymaster 10.0.0.2 6379")).toBe(
    "tend\n",
  );
  expect(says("+sdown", "sentinel 1234 10.0.0.1 26379 @ mymaster 10.0.0.2 6379")).toBe("tend\n");
  expect(says("+sdown", "master mymaster 10.0.0.2 6379")).toBe("");
  expect(says("-sdown", "slave 10.0.0.1:6379 10.0.0.1 6379 @ mymaster 10.0.0.2 6379")).toBe(
    "tend\n",
  );
  expect(says("+new-epoch", "3")).toBe("");
});

test("the script that Sentinel runs passes its flags on as they are, and ends with 1 for a repetition", () => {
  const odd = "a 'quoted' $HOME `id` name";
  const flags = { set: odd, roleLabel: key, apiInsecure: true, apiCa: undefined };
  const said = spawnSync("sh", ["-c", renderEventScript("/bin/echo", flags)], {
    encoding: "utf8",
  }).stdout;
  expect(said).toBe(`tend --set=${odd} --role-label=redis-role --api-insecure\n`);
  expect(spawnSync("sh", ["-c", renderEventScript("/bin/false", {})]).status).toBe(1);
});

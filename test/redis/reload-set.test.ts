/** Reloads beside each node of a real cluster: one restart at a time, and a password that changes while all go on. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseInfo } from "../../src/redis/info.ts";
import {
  ask,
  countKeys,
  kill,
  launch,
  type NodeUnderTest,
  peersOf,
  server,
  untilWhole,
  writeKeys,
} from "./nodes-under-test.ts";
import {
  accessOf,
  changeAgainAndAgain,
  countReports,
  openCluster,
  reloadInTurn,
  settings,
  takes,
} from "./reload-cluster-under-test.ts";
import { startLoad } from "./set-load.ts";
import { createSet, type SetUnderTest, untilAlphaAmong, untilSetWhole } from "./sets-under-test.ts";
import { until } from "./until.ts";

describe("restarts, one at a time", () => {
  test("a setting that needs one comes to every node, never are two down, and no key is lost", async () => {
    const cluster = await openCluster(22_700);
    const { nodes, reloads, write } = cluster;
    await writeKeys(nodes, 50);
    const keys = await countKeys(nodes);
    // A change of mind, again and again: nobody restarts for what is not the last word.
    await changeAgainAndAgain(15, 320, (change) =>
      write(nodes, "appendonly yes", `tcp-backlog ${585 + change}`),
    );
    let [mostDown, hasChanged] = [0, false];
    await until(
      "the second change on every node",
      async () => {
        const seen = await settings(nodes, "tcp-backlog");
        mostDown = Math.max(mostDown, seen.filter((one) => one === "down").length);
        // Two changes in one round of restarts.
        if (!hasChanged && seen.filter((one) => one === "600").length >= 2) {
          write(nodes, "appendonly yes", "tcp-backlog 700");
          hasChanged = true;
        }
        return seen;
      },
      (seen) => seen.every((one) => one === "700"),
      80_000,
      (seen) => [...seen, ...reloads.map(({ output }) => output.slice(-600))].join("\n"),
    );
    await untilWhole(nodes);
    expect(mostDown).toBe(1);
    expect(await countKeys(nodes)).toBe(keys);
    await until(
      "the last one back",
      () => countReports(reloads, "Restarted"),
      (n) => n >= 6,
    );
    expect(countReports(reloads, "Restarted")).toBeLessThanOrEqual(6 + 3);
  });

  test("a set that is not whole is left alone, and the reason is said", async () => {
    const cluster = await openCluster(22_710);
    const { nodes, reloads, write } = cluster;
    const last = nodes[5] as NodeUnderTest;
    await kill(last);
    write(nodes, "appendonly yes", "tcp-backlog 600");
    const first = reloads[0] as NodeUnderTest;
    await until(
      "a reason",
      () => first.output,
      (text) => text.includes("to be restarted: the set is not whole"),
    );
    expect(await settings(nodes.slice(0, 5), "tcp-backlog")).toEqual(Array(5).fill("511"));
    cluster.start(last);
    await until(
      "all",
      () => settings(nodes, "tcp-backlog"),
      (seen) => seen.every((one) => one === "600"),
      60_000,
    );
  });
});

/** A reload beside each node of a set, and somebody who starts each node again that ends in good order. */
function watchSet(set: SetUnderTest, ...flags: readonly string[]): readonly NodeUnderTest[] {
  const restart = (node: NodeUnderTest) =>
    node.process?.once("exit", (code) => {
      if (code !== 0) return;
      set.bootNode(node);
      restart(node);
    });
  return set.nodes.map((node, index) => {
    restart(node);
    const reload = set.group.add(node.port, `reload of ${node.name}`);
    launch(reload, [
      ...reloadInTurn,
      ...["--dir", node.dir, "--port", `${node.port}`, "--peers", peersOf(set.nodes)],
      ...["--server", server, "--sentinels", peersOf(set.sentinels)],
      ...["--sentinel-port", `${set.sentinels[index]?.port}`, ...flags],
    ]);
    return reload;
  });
}

test("under Sentinel an alpha hands over before it is restarted", async () => {
  await using set = createSet(25_160, { persists: true });
  set.bootAll();
  await untilSetWhole(set);
  const reloads = watchSet(set);
  const load = startLoad(set);
  await until("a load", load.writes, (writes) => writes > 100);
  writeFileSync(join(set.group.root, "redis.conf"), "appendonly yes\ntcp-backlog 600\n");
  await until(
    "all",
    () => settings(set.nodes, "tcp-backlog"),
    (seen) => seen.every((one) => one === "600"),
    80_000,
    (seen) => [...seen, ...reloads.map(({ output }) => output.slice(-600))].join("\n"),
  );
  const { alpha } = await untilSetWhole(set);
  expect(countReports(reloads, "HandingOver")).toBeGreaterThan(0);
  expect(await load.end()).toEqual([]);
  expect(await load.countLost(alpha)).toBe(0);
});

describe("a password that changes", () => {
  test("under Sentinel it reaches the Sentinels too, and a lost alpha is replaced with it", async () => {
    await using set = createSet(25_180, { persists: true, password: "the old one" });
    set.bootAll();
    await untilSetWhole(set);
    const file = join(set.group.root, "password");
    const reloads = watchSet(set, "--password-file", file, "--password-overlap", "0s");
    writeFileSync(file, "the new one");
    const all = [...set.nodes, ...set.sentinels];
    const [old, fresh] = [accessOf("the old one"), accessOf("the new one")];
    await until(
      "the new one everywhere, and the old one nowhere",
      async () => [await takes(all, fresh), await takes(all, old)],
      ([now, before]) => now?.every(Boolean) === true && !before?.some(Boolean),
      60_000,
      (seen) =>
        [JSON.stringify(seen), ...reloads.map(({ output }) => output.slice(-900))].join("\n"),
    );
    const now = { ...set, access: fresh, sentinelAccess: fresh };
    const { alpha, betas } = await untilSetWhole(now);
    await kill(alpha);
    const next = await untilAlphaAmong(now, betas);
    expect(next).not.toBe(alpha);
    for (const { output } of reloads) expect(output).not.toMatch(/the (old|new) one/);
  });

  test("old and new are taken until every node has the new one; then the old is refused", async () => {
    const { nodes, reloads, setPassword } = await openCluster(22_720, { password: "the old one" });
    const [old, fresh] = [accessOf("the old one"), accessOf("the new one")];
    setPassword(nodes.slice(0, 5), "the new one");
    await until(
      "the new one on five",
      () => takes(nodes, fresh),
      (all) => all.slice(0, 5).every(Boolean),
    );
    await until(
      "a reason",
      () => reloads[0]?.output,
      (text) => text?.includes("does not take the new password yet") === true,
    );
    expect(await takes(nodes, old)).toEqual(Array(6).fill(true));
    expect(await settings(nodes.slice(0, 5), "masterauth", fresh)).toEqual(
      Array(5).fill("the old one"),
    );
    setPassword(nodes.slice(5), "the new one");
    await until(
      "the old one refused",
      () => takes(nodes, old),
      (all) => !all.some(Boolean),
      30_000,
    );
    expect(await settings(nodes, "masterauth", fresh)).toEqual(Array(6).fill("the new one"));
    // Users change a moment before settings do.
    await until(
      "the new one in every setting",
      () => settings(nodes, "requirepass", fresh),
      (all) => all.every((one) => one === "the new one"),
    );
    await untilWhole(nodes, 10_000, fresh);
    // Whoever has to enter again does.
    for (const node of nodes) await ask(node, [["CLIENT", "KILL", "TYPE", "replica"]], fresh);
    await untilWhole(nodes, 20_000, fresh);
    const links = await Promise.all(
      nodes.map((node) => ask(node, [["INFO", "replication"]], fresh)),
    );
    expect(
      links.filter(([text]) => parseInfo(String(text)).get("master_link_status") === "up").length,
    ).toBe(3);
    for (const { output } of reloads) expect(output).not.toMatch(/the (old|new) one/);
  });
});

import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import {
  ask,
  boot,
  bootAll,
  countKeys,
  createNodes,
  empty,
  kill,
  type NodeGroup,
  type NodeUnderTest,
  peersOf,
  shardsOf,
  untilWhole,
  writeKeys,
} from "./nodes-under-test.ts";
import { until } from "./until.ts";

async function wholeCluster(group: NodeGroup, flags: readonly string[] = []): Promise<void> {
  bootAll(group.nodes, { flags });
  await untilWhole(group.nodes);
  await writeKeys(group.nodes, 200);
}

const alphaOf = async (nodes: readonly NodeUnderTest[]) => {
  const shard = (await shardsOf(nodes))[0];
  const beta = shard?.betas[0];
  if (shard === undefined || beta === undefined) throw new Error("no shard with a beta");
  return { alpha: shard.alpha, beta };
};

test("an alpha replaced at its address, disk empty: its beta is promoted, the old node forgotten, the new one its beta", async () => {
  await using group = createNodes(22100, 6);
  await wholeCluster(group);
  const keys = await countKeys(group.nodes);
  const { alpha, beta } = await alphaOf(group.nodes);
  await kill(alpha);
  empty(alpha);
  boot(alpha, group.nodes);
  await untilWhole(group.nodes);
  const shard = (await shardsOf(group.nodes)).find((one) => one.alpha === beta);
  expect(shard?.betas).toEqual([alpha]);
  expect(await countKeys(group.nodes)).toBe(keys);
});

test("an alpha replaced at a new address heals the same way, and nobody knows the old node any more", async () => {
  await using group = createNodes(22110, 6);
  await wholeCluster(group);
  const keys = await countKeys(group.nodes);
  const { alpha, beta } = await alphaOf(group.nodes);
  await kill(alpha);
  const replacement = group.add(22119);
  const present = group.nodes.filter((node) => node !== alpha);
  boot(replacement, present);
  await untilWhole(present);
  const shard = (await shardsOf(present)).find((one) => one.alpha === beta);
  expect(shard?.betas).toEqual([replacement]);
  expect(await countKeys(present)).toBe(keys);
});

test("a beta replaced at a new address becomes the orphaned alpha's beta", async () => {
  await using group = createNodes(22120, 6);
  await wholeCluster(group);
  const { alpha, beta } = await alphaOf(group.nodes);
  await kill(beta);
  const replacement = group.add(22129);
  const present = group.nodes.filter((node) => node !== beta);
  boot(replacement, present);
  await untilWhole(present);
  expect((await shardsOf(present)).find((one) => one.alpha === alpha)?.betas).toEqual([
    replacement,
  ]);
});

test("two replaced at once pick different alphas", async () => {
  await using group = createNodes(22130, 6);
  await wholeCluster(group);
  const betas = (await shardsOf(group.nodes)).slice(0, 2).flatMap((shard) => shard.betas);
  await Promise.all(betas.map((beta) => kill(beta)));
  for (const beta of betas) empty(beta);
  for (const beta of betas) boot(beta, group.nodes);
  await untilWhole(group.nodes);
  expect((await shardsOf(group.nodes)).map((shard) => shard.betas.length)).toEqual([1, 1, 1]);
});

test("a beta more than needed joins an alpha", async () => {
  await using group = createNodes(22140, 6);
  await wholeCluster(group);
  const extra = group.add(22149);
  boot(extra, group.nodes);
  await untilWhole(group.nodes);
  expect((await shardsOf(group.nodes)).map((shard) => shard.betas.length).sort()).toEqual([
    1, 1, 2,
  ]);
});

test("a node that comes back with its disk is what it was, at the same address", async () => {
  await using group = createNodes(22150, 6);
  await wholeCluster(group, ["--config", await writeConfiguration(group, "appendonly yes")]);
  const { alpha, beta } = await alphaOf(group.nodes);
  for (const node of [alpha, beta]) {
    await kill(node);
    boot(node, group.nodes, { flags: ["--config", `${group.root}/redis.conf`] });
    await untilWhole(group.nodes);
  }
  expect((await shardsOf(group.nodes)).find((one) => one.alpha === alpha)?.betas).toEqual([beta]);
});

test("a node that comes back with its disk at a new address keeps its id", async () => {
  await using group = createNodes(22160, 6);
  await wholeCluster(group, ["--config", await writeConfiguration(group, "appendonly yes")]);
  const keys = await countKeys(group.nodes);
  const { alpha } = await alphaOf(group.nodes);
  await kill(alpha);
  const moved = move(group, alpha, 22169);
  const present = group.nodes.filter((node) => node !== alpha);
  boot(moved, present, { flags: ["--config", `${group.root}/redis.conf`] });
  await untilWhole(present);
  expect(await countKeys(present)).toBe(keys);
});

test("all nodes back at once, every address new: one cluster with all its data", async () => {
  await using group = createNodes(22170, 6);
  const flags = ["--config", await writeConfiguration(group, "appendonly yes")];
  await wholeCluster(group, flags);
  const keys = await countKeys(group.nodes);
  const old = [...group.nodes];
  await Promise.all(old.map((node) => kill(node)));
  const moved = old.map((node, index) => move(group, node, 22180 + index));
  bootAll(moved, { flags });
  await untilWhole(moved);
  expect(await countKeys(moved)).toBe(keys);
});

test("all nodes back at once with each other's addresses: nobody copies from a stranger", async () => {
  await using group = createNodes(22190, 6);
  const flags = ["--config", await writeConfiguration(group, "appendonly yes")];
  await wholeCluster(group, flags);
  const keys = await countKeys(group.nodes);
  const old = [...group.nodes];
  await Promise.all(old.map((node) => kill(node)));
  const moved = old.map((node, index) => move(group, node, old[(index + 1) % 6]?.port ?? 0));
  bootAll(moved, { flags });
  await untilWhole(moved);
  expect(await countKeys(moved)).toBe(keys);
});

test("an alpha and its beta lost together: by default the replacements wait, and say for what", async () => {
  await using group = createNodes(22200, 6);
  await wholeCluster(group, ["--node-timeout", "1s"]);
  const { alpha, beta } = await alphaOf(group.nodes);
  await Promise.all([kill(alpha), kill(beta)]);
  const present = group.nodes.filter((node) => node !== alpha && node !== beta);
  const [first, second] = [group.add(22208), group.add(22209)];
  const all = [...present, first, second];
  for (const node of [first, second])
    boot(node, [...all, alpha], { flags: ["--node-timeout", "1s", "--peer-wait", "1s"] });
  await until(
    "both wait",
    () => [first.output, second.output],
    (outputs) =>
      outputs.every((output) =>
        output.includes("have lost their alpha and all its betas; waiting"),
      ),
  );
  // One of the lost comes back with its disk: everybody is whole again.
  boot(alpha, [...all, alpha], { flags: ["--node-timeout", "1s"] });
  await untilWhole([...all, alpha]);
});

test("an alpha and its beta lost together, --on-lost-slots empty: the replacements serve the slots", async () => {
  await using group = createNodes(22210, 6);
  await wholeCluster(group, ["--node-timeout", "1s"]);
  const { alpha, beta } = await alphaOf(group.nodes);
  await Promise.all([kill(alpha), kill(beta)]);
  const present = group.nodes.filter((node) => node !== alpha && node !== beta);
  const [first, second] = [group.add(22218), group.add(22219)];
  const all = [...present, first, second];
  for (const node of [first, second]) {
    boot(node, all, {
      flags: ["--node-timeout", "1s", "--peer-wait", "1s", "--on-lost-slots", "empty"],
    });
  }
  await untilWhole(all);
  expect((await shardsOf(all)).map((shard) => shard.betas.length)).toEqual([1, 1, 1]);
});

test("a join killed at any of its actions is started again and ends whole", async () => {
  await using group = createNodes(22220, 6);
  await wholeCluster(group);
  for (let lines = 1; lines <= 5; lines++) {
    const { alpha } = await alphaOf(group.nodes);
    await kill(alpha);
    empty(alpha);
    const start = alpha.output.length;
    const cutOff = new Promise<void>((resolve) => {
      alpha.onOutput.add((output) => {
        if ((output.slice(start).match(/"event":"(action|decided|become)"/g) ?? []).length < lines)
          return;
        alpha.onOutput.clear();
        alpha.process?.kill("SIGKILL");
        resolve();
      });
    });
    boot(alpha, group.nodes);
    await cutOff;
    await kill(alpha);
    boot(alpha, group.nodes);
    await untilWhole(group.nodes);
  }
});

test("rule 3: a memory-only alpha that is killed and at once restarted takes no key with it", async () => {
  await using group = createNodes(22230, 6);
  const flags = ["--config", await writeConfiguration(group, 'save ""')];
  await wholeCluster(group, flags);
  const keys = await countKeys(group.nodes);
  const { alpha, beta } = await alphaOf(group.nodes);
  await kill(alpha);
  boot(alpha, group.nodes, { flags });
  await untilWhole(group.nodes);
  expect(await countKeys(group.nodes)).toBe(keys);
  expect((await shardsOf(group.nodes)).find((one) => one.alpha === beta)?.betas).toEqual([alpha]);
});

test("rule 3: two of three memory-only alphas killed at once: their betas take over without a majority", async () => {
  await using group = createNodes(22240, 6);
  const flags = ["--config", await writeConfiguration(group, 'save ""')];
  await wholeCluster(group, flags);
  const keys = await countKeys(group.nodes);
  const alphas = (await shardsOf(group.nodes)).slice(0, 2).map((shard) => shard.alpha);
  await Promise.all(alphas.map((alpha) => kill(alpha)));
  for (const alpha of alphas) boot(alpha, group.nodes, { flags });
  await untilWhole(group.nodes);
  expect(await countKeys(group.nodes)).toBe(keys);
});

test("a whole memory-only cluster killed at once comes back as the same cluster, empty", async () => {
  await using group = createNodes(22250, 6);
  const flags = ["--config", await writeConfiguration(group, 'save ""')];
  await wholeCluster(group, flags);
  await Promise.all(group.nodes.map((node) => kill(node)));
  bootAll(group.nodes, { flags });
  await untilWhole(group.nodes);
  expect(await countKeys(group.nodes)).toBe(0);
});

test("rule 8: a torn nodes.conf is set aside with the data, and the node joins anew", async () => {
  await using group = createNodes(22260, 6);
  await wholeCluster(group);
  const { beta } = await alphaOf(group.nodes);
  await ask(beta, [["SAVE"]]);
  await kill(beta);
  const { writeFileSync } = await import("node:fs");
  writeFileSync(`${beta.dir}/nodes.conf`, "07c37dfeb235213a872192d90877d0cd55635b91 127.0.0.1:70");
  boot(beta, group.nodes);
  await untilWhole(group.nodes);
  expect(
    readdirSync(beta.dir)
      .filter((file) => file.includes("set-aside"))
      .map((file) => file.split(".set-aside")[0])
      .sort(),
  ).toEqual(["dump.rdb", "nodes.conf"]);
});

/** The same node with its disk, at another port. */
function move(group: NodeGroup, node: NodeUnderTest, port: number): NodeUnderTest {
  const moved: NodeUnderTest = {
    ...node,
    port,
    process: undefined,
    output: "",
    onOutput: new Set(),
  };
  group.nodes.push(moved);
  return moved;
}

async function writeConfiguration(group: NodeGroup, text: string): Promise<string> {
  const { writeFileSync } = await import("node:fs");
  writeFileSync(`${group.root}/redis.conf`, `${text}\n`);
  return `${group.root}/redis.conf`;
}

test("rule 6: a node of another cluster at a peer's address is never met", async () => {
  await using ours = createNodes(22270, 6);
  await using theirs = createNodes(22280, 3);
  bootAll(theirs.nodes, { nodes: 3, replicas: 0 });
  await wholeCluster(ours);
  await untilWhole(theirs.nodes);
  const { beta } = await alphaOf(ours.nodes);
  await kill(beta);
  // The list that the returning node is given names a node of the other cluster too.
  boot(beta, [...ours.nodes], { peers: peersOf([...ours.nodes, ...theirs.nodes.slice(0, 1)]) });
  await untilWhole(ours.nodes);
  await untilWhole(theirs.nodes);
});

test("a beta that started long before its alpha follows it, though gossip brought the address first", async () => {
  await using group = createNodes(22_290, 6);
  const config = await writeConfiguration(group, "appendonly yes");
  const flags = ["--node-timeout", "1s", "--peer-wait", "1s", "--config", config];
  await wholeCluster(group, flags);
  const { alpha, beta } = await alphaOf(group.nodes);
  await Promise.all(group.nodes.map((node) => kill(node)));
  const askBeta = async () => {
    const replies = await ask(beta, [
      ["CLUSTER", "NODES"],
      ["INFO", "replication"],
    ]);
    return replies.map(String);
  };
  boot(beta, group.nodes, { flags });
  await until(
    "all others called failed by the beta",
    () => askBeta().catch(() => [""]),
    ([table = ""]) => table.split("fail?").length === 6,
  );
  for (const node of group.nodes.filter((one) => one !== alpha && one !== beta))
    boot(node, group.nodes, { flags });
  await until(
    "the alpha's address from gossip, and a replication that does not know of it",
    askBeta,
    ([table = "", info = ""]) =>
      table.includes(`127.0.0.1:${alpha.port}@`) && info.includes("master_host:0.0.0.0"),
  );
  boot(alpha, group.nodes, { flags });
  await untilWhole(group.nodes);
});

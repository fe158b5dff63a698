/** `rekindle drain` on real servers, without Kubernetes: the node's own table tells it all. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { openRoom } from "./commands-under-test.ts";
import {
  ask,
  bootAll,
  createNodes,
  kill,
  type NodeUnderTest,
  server,
  shardsOf,
  untilWhole,
} from "./nodes-under-test.ts";
import { until } from "./until.ts";

const drain = (node: { port: number }, ...more: readonly string[]) =>
  openRoom().run("drain", `--port=${node.port}`, ...more);

const idOf = async (node: NodeUnderTest): Promise<string> =>
  String((await ask(node, [["CLUSTER", "MYID"]]))[0]);
const tableOf = async (node: NodeUnderTest): Promise<string> =>
  String((await ask(node, [["CLUSTER", "NODES"]]))[0]);

async function openCluster(port: number) {
  const group = createNodes(port, 6);
  bootAll(group.nodes);
  await untilWhole(group.nodes);
  const [shard] = await shardsOf(group.nodes);
  const beta = shard?.betas[0];
  if (shard === undefined || beta === undefined) throw new Error("there is no shard with a beta");
  return { group, alpha: shard.alpha, beta };
}

describe("rekindle drain", () => {
  it("hands an alpha's slots to its beta, and has all forget it; asked again it changes nothing", async () => {
    const { group, alpha, beta } = await openCluster(20_600);
    await using nodes = group;
    const id = await idOf(alpha);
    expect(await drain(alpha)).toMatchObject({ exitCode: 0 });
    const others = nodes.nodes.filter((node) => node !== alpha);
    const tables = await Promise.all(others.map(tableOf));
    expect(tables.filter((table) => table.includes(id))).toEqual([]);
    expect(await tableOf(beta)).toMatch(/myself,master .* 0-5460/);
    const again = await drain(alpha);
    expect(again.exitCode, again.stderr).toBe(0);
  });

  it("has all forget a beta", async () => {
    const { group, beta } = await openCluster(20_620);
    await using nodes = group;
    const id = await idOf(beta);
    expect(await drain(beta)).toMatchObject({ exitCode: 0 });
    const tables = await Promise.all(nodes.nodes.filter((node) => node !== beta).map(tableOf));
    expect(tables.filter((table) => table.includes(id))).toEqual([]);
  });

  it("says so with 75 where no beta can take over in time, and leaves the slots where they are", async () => {
    const { group, alpha, beta } = await openCluster(20_640);
    await using _ = group;
    await kill(beta);
    const { exitCode, stdout } = await drain(alpha, "--grace-period=6s");
    expect(exitCode).toBe(75);
    expect(stdout).toMatch(/could not leave in time: no beta of slots 0-5460 can take over/);
    expect(await tableOf(alpha)).toMatch(/myself,master .* 0-5460/);
  });

  it("has nothing to do on a blank node, nor where no server runs", async () => {
    await using group = createNodes(20_660, 1);
    const [node] = group.nodes as [NodeUnderTest];
    node.process = spawn(server, [
      "--port",
      `${node.port}`,
      "--dir",
      node.dir,
      "--cluster-enabled",
      "yes",
      "--save",
      "",
    ]);
    await until(
      "the server",
      () => ask(node, [["PING"]]).then(String, () => ""),
      (reply) => reply === "PONG",
    );
    expect(await drain(node)).toMatchObject({ exitCode: 0 });
    expect(await drain({ port: 20_669 })).toMatchObject({ exitCode: 0 });
  });

  it("does not take a server that hangs for one that is not there: it may hold the only copy", async () => {
    const silent = createServer(() => {}).listen(20_679, "127.0.0.1");
    try {
      const { exitCode, stdout } = await drain({ port: 20_679 }, "--grace-period=6s");
      expect(exitCode).toBe(75);
      expect(stdout).toMatch(/the own server does not answer: no answer within 1000 ms/);
    } finally {
      silent.close();
    }
  });
});

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { claimName, endLeftovers } from "../../src/local/claim.ts";
import { findPorts } from "../../src/local/ports.ts";
import { createState, type LocalState, readState, stateFolder } from "../../src/local/state.ts";
import { askPs, identifyProcess, isAlive } from "../../src/process-identity.ts";

/** The folder of a cluster called `test`, in a state folder of the test's own. */
function stateRoom(): string {
  const root = mkdtempSync(join(tmpdir(), "rekindle-state-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return stateFolder("test", { XDG_STATE_HOME: root });
}

/** A process that does nothing, and its identity. */
async function idleProcess(): Promise<string> {
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  await new Promise((resolve) => child.once("spawn", resolve));
  const identity = identifyProcess(child.pid ?? 0);
  if (identity === undefined) throw new Error("the process has no identity");
  return identity;
}

function stateWith(folder: string, details: Partial<LocalState>, identity?: string): LocalState {
  const dir = join(folder, "nodes", "node-1");
  mkdirSync(dir, { recursive: true });
  const nodes = [{ name: "node-1", port: 7001, dir, identity }];
  return { name: "test", topology: "cluster", backend: "processes", nodes, ...details };
}

const ours = (): LocalState => ({
  name: "test",
  topology: "cluster",
  backend: "processes",
  owner: identifyProcess(process.pid),
  nodes: [],
});

describe("the name of a local cluster", () => {
  it("is refused while the process that owns it lives", async () => {
    const folder = stateRoom();
    createState(folder, stateWith(folder, { owner: await idleProcess() }));
    await expect(claimName(folder, ours())).rejects.toThrow('"test" runs already');
  });

  it("is refused while a node lives that was left to itself", async () => {
    const folder = stateRoom();
    createState(folder, stateWith(folder, {}, await idleProcess()));
    await expect(claimName(folder, ours())).rejects.toThrow("its nodes from port 7001 on");
  });

  it("goes to one of two that claim it at the same moment", () => {
    const folder = stateRoom();
    expect([createState(folder, ours()), createState(folder, ours())]).toEqual([true, false]);
  });

  it("is taken over from an owner that was killed; its nodes end and their folders go", async () => {
    const folder = stateRoom();
    const node = await idleProcess();
    const left = stateWith(folder, { owner: "999999999 1" }, node);
    createState(folder, left);
    await claimName(folder, ours());
    expect(isAlive(node)).toBe(false);
    expect(existsSync(left.nodes[0]?.dir ?? "")).toBe(false);
    expect(readState(folder)?.owner).toBe(identifyProcess(process.pid));
  });

  it.each(["../x", "a/b", "", "-x", "x".repeat(65)])(
    "is never %j, which is no folder's name",
    (name) => {
      expect(() => stateFolder(name, {})).toThrow("is no name");
    },
  );
});

describe("ending what was left", () => {
  it("never touches a stranger that has a node's process id now", async () => {
    const folder = stateRoom();
    const stranger = await idleProcess();
    const state = stateWith(folder, {}, `${stranger.split(" ")[0]} 1`);
    createState(folder, state);
    expect(await endLeftovers(folder, state)).toBe(0);
    expect(isAlive(stranger)).toBe(true);
  });

  it("ends a node that was started and not yet written down, by its folder's lock", async () => {
    const folder = stateRoom();
    const node = await idleProcess();
    const state = stateWith(folder, {});
    writeFileSync(join(state.nodes[0]?.dir ?? "", "rekindle.lock"), `${node}\n`);
    createState(folder, state);
    expect(await endLeftovers(folder, state)).toBe(1);
    expect(isAlive(node)).toBe(false);
  });

  it("leaves what else lies in the folder", async () => {
    const folder = stateRoom();
    const state = stateWith(folder, {});
    createState(folder, state);
    writeFileSync(join(folder, "nodes", "notes.txt"), "mine");
    await endLeftovers(folder, state);
    expect(existsSync(join(folder, "nodes", "notes.txt"))).toBe(true);
    expect(existsSync(join(folder, "nodes", "node-1"))).toBe(false);
  });
});

describe("a process's identity", () => {
  it("is the same however often it is asked, and void when the process has ended", async () => {
    const identity = await idleProcess();
    const pid = Number(identity.split(" ")[0]);
    expect(identifyProcess(pid)).toBe(identity);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => identifyProcess(pid)).toBeUndefined();
  });

  it("is found by ps as well, where there is no /proc", async () => {
    const pid = Number((await idleProcess()).split(" ")[0]);
    expect(askPs(pid)).toMatch(new RegExp(`^${pid} \\S`));
    expect(askPs(pid)).toBe(askPs(pid));
    expect(askPs(999_999_999)).toBeUndefined();
  });
});

describe("ports of a local cluster", () => {
  async function hold(port: number): Promise<void> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
  }

  it("are the next free ones, where a client port or a bus port is taken", async () => {
    await hold(20_281);
    await hold(30_282);
    expect(await findPorts(2, 20_280, false)).toEqual([20_280, 20_283]);
  });

  it("are refused by name, where the first one was given", async () => {
    await hold(30_286);
    await expect(findPorts(3, 20_285, true)).rejects.toThrow("port 30286 is in use");
  });
});

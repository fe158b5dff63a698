import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { parseNodes } from "../../src/cluster/nodes.ts";
import type { Answer, PeerView } from "../../src/cluster/types.ts";
import { describeStatus, type Status } from "../../src/status/describe-status.ts";
import { renderStatus } from "../../src/status/render-status.ts";
import { openLiveView, type Terminal } from "../../src/status/terminal.ts";

const slots = ["0-5460", "5461-10922", "10923-16383"];
const idOf = (node: number): string => `${node}`.repeat(40).slice(0, 40);
const address = (node: number) => ({ ip: "10.0.0.1", port: 7000 + node, busPort: 17000 + node });

/** A cluster of three alphas, nodes 1 to 3, and betas behind them: 4 follows 1, 5 follows 2, and so on round. */
function views(nodes: number, silent: readonly number[] = []): readonly PeerView[] {
  const all = Array.from({ length: nodes }, (_, index) => index + 1);
  const tableOf = (self: number) =>
    parseNodes(
      all
        .map((node) => {
          const alpha = ((node - 1) % 3) + 1;
          const role = node <= 3 ? "master" : "slave";
          const flags = node === self ? `myself,${role}` : role;
          const { ip, port, busPort } = address(node);
          const link = silent.includes(node) ? "disconnected" : "connected";
          const owned = node <= 3 ? ` ${slots[node - 1]}` : "";
          return `${idOf(node)} ${ip}:${port}@${busPort} ${flags} ${node <= 3 ? "-" : idOf(alpha)} 0 0 ${alpha} ${link}${owned}`;
        })
        .join("\n"),
    );
  return all.map((node): PeerView => {
    const seen = silent.includes(node)
      ? ({ state: "silent", refused: true, why: "nothing listens there yet" } as const)
      : answerOf(node, tableOf(node));
    return { name: `redis-${node}`, address: address(node), seen };
  });
}

function answerOf(node: number, table: Answer["table"]): Answer {
  const isBeta = node > 3;
  return {
    state: "answered",
    id: idOf(node),
    table: { ...table, currentEpoch: 3 },
    clusterOk: true,
    keys: 1_234,
    role: isBeta ? "beta" : "alpha",
    offset: 1_000,
    inSync: isBeta,
    syncing: false,
    hasFollowed: isBeta,
    uptimeSeconds: 60,
    nodeTimeoutMs: 5_000,
  };
}

const lines = (status: Status, width: number, height?: number): readonly string[] =>
  renderStatus(status, { width, colours: false, ...(height ? { height } : {}) }).split("\n");

describe("what the status calls wrong", () => {
  it("is nothing in a cluster whose nodes agree", () => {
    const status = describeStatus(views(6));
    expect(status).toMatchObject({ state: "whole", problems: [], slotsServed: 16_384, nodes: 6 });
  });

  it("is a dead beta, beside a living one of the same alpha too, by the name it was asked under", () => {
    const status = describeStatus(views(9, [7]));
    expect(status.state).toBe("degraded");
    expect(status.problems).toEqual(["slots 0-5460: the beta redis-7 of redis-1 does not answer"]);
    expect(status.shards[0]?.betas.map((beta) => [beta.name, beta.state])).toContainEqual([
      "redis-7",
      "silent",
    ]);
  });

  it("is not that there are no betas, where no shard has any", () => {
    expect(describeStatus(views(3)).state).toBe("whole");
  });

  it("is one shard without a beta beside others that have some", () => {
    const status = describeStatus(views(5));
    expect(status.problems).toEqual([
      "slots 10923-16383: the alpha redis-3 has no beta; its data is in one place only",
    ]);
  });

  it("is an alpha that does not answer, with the beta that can take over", () => {
    const status = describeStatus(views(6, [2]));
    expect(status.state).toBe("down");
    expect(status.slotsServed).toBe(10_922);
    expect(status.problems[0]).toBe(
      "slots 5461-10922: the alpha redis-2 does not answer; its beta redis-5 can take over",
    );
  });

  it("is that slots are not served, where an alpha and its betas are gone", () => {
    expect(describeStatus(views(6, [2, 5])).problems[0]).toBe(
      "slots 5461-10922: the alpha redis-2 does not answer, and no beta of it either: these slots are not served",
    );
  });

  it("is silence, with each reason, where nobody answers", () => {
    const status = describeStatus(views(3, [1, 2, 3]));
    expect(status.state).toBe("unreachable");
    expect(status.problems).toContain("redis-1 does not answer: nothing listens there yet");
  });
});

describe("the picture", () => {
  it("has three shards side by side on 80 columns", () => {
    const [, , title] = lines(describeStatus(views(6)), 80);
    expect(title).toMatch(/shard 1 .* shard 2 .* shard 3 /);
  });

  it("has no line wider than the terminal, at any width", () => {
    for (const status of [describeStatus(views(9, [2, 7])), describeStatus(views(3, [1, 2, 3]))]) {
      for (let width = 30; width <= 200; width++) {
        for (const line of lines(status, width)) expect(line.length).toBeLessThanOrEqual(width);
      }
    }
  });

  it("never has more lines than the window, and keeps the headline", () => {
    const status = describeStatus(views(9, [2, 7]));
    for (let height = 3; height <= 40; height++) {
      const drawn = lines(status, 80, height);
      expect(drawn.length).toBeLessThanOrEqual(height);
      expect(drawn[0]).toContain("not serving all slots");
    }
  });

  it("says with a word and a sign what it says with a colour", () => {
    const status = describeStatus(views(9, [7]));
    const picture = lines(status, 120).join("\n");
    expect(picture).not.toContain("\x1b");
    expect(picture).toContain("✗ beta  redis-7");
    expect(picture).toContain("no answer");
    const painted = renderStatus(status, { width: 120, colours: true });
    expect(painted).not.toBe(picture);
    expect(stripVTControlCharacters(painted)).toBe(picture);
  });

  it("shows how far a beta is behind", () => {
    const [first, ...others] = views(6);
    if (first?.seen.state !== "answered") throw new Error("the first node answers");
    const ahead = { ...first, seen: { ...first.seen, offset: 1_601_000 } };
    expect(lines(describeStatus([ahead, ...others]), 120).join("\n")).toContain("1.6 MB behind");
  });
});

describe("the live view", () => {
  function fakeTerminal(): Terminal & { written: string[]; width: number } {
    const written: string[] = [];
    const write = (text: string) => void written.push(text);
    return { isTerminal: true, width: 80, height: 24, colours: false, written, write };
  }

  it("goes back over exactly the lines that it drew before, in one write", () => {
    const terminal = fakeTerminal();
    const view = openLiveView(terminal);
    view.draw("one\ntwo\nthree");
    view.draw("four");
    expect(terminal.written).toHaveLength(2);
    expect(terminal.written[1]).toBe("\x1b[3A\rfour\x1b[K\n\x1b[J");
    view.end();
  });

  it("begins on a clean screen when the window's width has changed", () => {
    const terminal = fakeTerminal();
    const view = openLiveView(terminal);
    view.draw("one");
    terminal.width = 60;
    view.draw("two");
    expect(terminal.written[1]).toContain("\x1b[2J");
    view.end();
  });

  it("gives the cursor back", () => {
    const terminal = fakeTerminal();
    const view = openLiveView(terminal);
    view.draw("one");
    view.end();
    expect(terminal.written.at(-1)).toBe("\x1b[?25h");
  });
});

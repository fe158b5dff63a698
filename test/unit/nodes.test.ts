import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { myselfOf, parseNodes, renderNodesConf } from "../../src/cluster/nodes.ts";
import { sixNodes, table } from "./observations.ts";

const id = "07c37dfeb235213a872192d90877d0cd55635b91";
const line = (place: string, flags = "myself,master", rest = "- 0 0 3 connected 0-5460") =>
  `${id} ${place} ${flags} ${rest}\n`;

describe("a node table", () => {
  test("as 6.0 prints it, and as 7.2 and later with hostnames and named values", () => {
    expect(parseNodes(line("10.0.0.1:6379@16379")).nodes[0]).toMatchObject({
      address: { ip: "10.0.0.1", port: 6379, busPort: 16_379 },
      hostname: "",
      epoch: 3,
      slots: [[0, 5460]],
    });
    const named = line(
      "10.0.0.1:6379@16379,redis-0.redis,tls-port=0,shard-id=69bc080733d1355567173199cff4a6a039a2f024",
    );
    expect(parseNodes(named).nodes[0]).toMatchObject({ hostname: "redis-0.redis" });
    expect(renderNodesConf(parseNodes(named))).not.toContain("shard-id");
  });
  test("with IPv6 addresses, single slots, and slots on the move", () => {
    const [node] = parseNodes(
      line("2001:db8::1:6379@16379", "master", "- 0 0 3 connected 0-5 7 [93->-abc] [77-<-def]"),
    ).nodes;
    expect(node).toMatchObject({
      address: { ip: "2001:db8::1" },
      slots: [
        [0, 5],
        [7, 7],
      ],
      migrations: ["[93->-abc]", "[77-<-def]"],
    });
  });
  test("with no address where there is none", () => {
    for (const place of [":0@0", ":0", ":6379@16379"])
      expect(parseNodes(line(place)).nodes[0]?.address).toBe(undefined);
  });
  test("without nodes in handshake: their ids are random", () => {
    expect(parseNodes(line("10.0.0.1:6379@16379", "handshake")).nodes).toEqual([]);
  });
  test("with its epochs", () => {
    expect(parseNodes("vars currentEpoch 7 lastVoteEpoch 6\n")).toMatchObject({
      currentEpoch: 7,
      lastVoteEpoch: 6,
    });
  });
  test.each([
    "garbage",
    `${id} 10.0.0.1:70`,
    `${id} x:y@z myself,master - 0 0 3 connected`,
    line("10.0.0.1:1@2", "master", "- 0 0 3 connected 5-99999"),
    "vars currentEpoch x\n",
  ])("torn, is refused: %s", (text) => expect(() => parseNodes(text)).toThrow());
  test("is the same after printing and parsing", () => {
    const before = table("b", sixNodes);
    expect(parseNodes(renderNodesConf(before))).toEqual(before);
    expect(myselfOf(before)?.id).toBe("b".repeat(40));
  });
  test("cut anywhere, is the shorter table or an error, never something else", () => {
    const text = renderNodesConf(table("b", sixNodes));
    fc.assert(
      fc.property(fc.nat({ max: text.length }), (at) => {
        let nodes: readonly { id: string }[] = [];
        try {
          nodes = parseNodes(text.slice(0, at)).nodes;
        } catch {
          return;
        }
        for (const node of nodes)
          expect(sixNodes.map((truth) => truth.letter.repeat(40))).toContain(node.id);
      }),
    );
  });
});

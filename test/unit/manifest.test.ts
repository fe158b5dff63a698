import { expect, test } from "vitest";
import {
  type Manifest,
  makeId,
  nameSegment,
  parseManifest,
  printManifest,
  readSegmentName,
} from "../../src/snapshots/manifest.ts";

const manifest: Manifest = {
  format: 1,
  id: "20261125T201502Z-1f0c",
  startedAt: "2026-11-25T20:15:02.000Z",
  endedAt: "2026-11-25T20:15:09.000Z",
  topology: "cluster",
  server: { name: "redis", version: "7.0.15" },
  shards: [{ file: "0.rdb", bytes: 9, sha256: "0".repeat(64), slots: ["0-16383"], offset: 42 }],
};

test("a manifest is read as it was printed", () => {
  expect(parseManifest(printManifest(manifest), "here")).toEqual(manifest);
});

test("what is no manifest, damaged, or newer, is refused with where it is and what to do", () => {
  const refusal = (text: string) => () => parseManifest(text, "s3://b/m");
  expect(refusal("{")).toThrow("s3://b/m: this is no manifest");
  expect(refusal(JSON.stringify({ ...manifest, format: 2 }))).toThrow("newer Rekindle");
  expect(refusal(JSON.stringify({ ...manifest, shards: [{}] }))).toThrow("damaged");
  const [shard] = manifest.shards;
  const escaping = { ...manifest, shards: [{ ...shard, file: "../../x" }] };
  expect(refusal(JSON.stringify(escaping))).toThrow("damaged");
});

test("ids and segments are in the order of time when their names are", () => {
  expect(makeId(new Date("2026-11-25T20:15:02.345Z"), "1f0cabcd")).toBe("20261125T201502Z-1f0c");
  const segment = { stream: "7b1e", from: 52_311, to: 160_222 };
  const next = nameSegment({ ...segment, from: 160_222, to: 1_000_000 });
  expect(readSegmentName(nameSegment(segment))).toEqual(segment);
  expect(nameSegment(segment) < next).toBe(true);
  expect(readSegmentName("snapshots/x/0.rdb")).toBeUndefined();
});

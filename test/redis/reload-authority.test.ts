/** Certificates that are renewed by another authority, on a running cluster: a file with both authorities first, then the certificates. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { TlsFiles } from "../../src/redis/connection.ts";
import { makeCertificates, subjectServed } from "./certificates-under-test.ts";
import { ask, kill, type NodeUnderTest, untilWhole } from "./nodes-under-test.ts";
import { openCluster } from "./reload-cluster-under-test.ts";
import { until } from "./until.ts";

/** Two authorities with the same name, and a certificate of each that tells them apart. */
function makeBoth(): { readonly old: TlsFiles; readonly fresh: TlsFiles; readonly both: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), "rekindle-tls-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const make = (name: string): TlsFiles => {
    mkdirSync(join(folder, name));
    return makeCertificates(join(folder, name), name).files;
  };
  const [old, fresh] = [make("old"), make("fresh")];
  return { old, fresh, both: Buffer.concat([old.ca, fresh.ca]) };
}

const said = (node: NodeUnderTest, words: string | RegExp) =>
  until(
    String(words),
    () => node.output,
    (text) => text.search(words) >= 0,
    20_000,
  );

test("another authority comes to a cluster in steps, each waits for all, and no link breaks", async () => {
  const { old, fresh, both } = makeBoth();
  const { nodes, reloads, setTls, start } = await openCluster(22_740, { tls: old });
  const [first, ...others] = nodes as [NodeUnderTest, ...NodeUnderTest[]];
  const [reload, ...otherReloads] = reloads as [NodeUnderTest, ...NodeUnderTest[]];
  const beta = others.at(-1) as NodeUnderTest;
  const either = { ...old, ca: both };
  const untilAllServe = (subject: string, all: readonly NodeUnderTest[], files: TlsFiles) =>
    until(
      `${subject} on all`,
      () => Promise.all(all.map(({ port }) => subjectServed(port, files))),
      (seen) => seen.every((one) => one === subject),
      20_000,
      () => all.map((one) => reloads[nodes.indexOf(one)]?.output.slice(-600)).join("\n"),
    );
  /** All betas enter their alphas anew, and one of them is killed and comes back: over the bus, too. */
  const untilAllEnterAnew = async (files: TlsFiles) => {
    for (const node of nodes)
      await ask(node, [["CLIENT", "KILL", "TYPE", "replica"]], { tls: files });
    await kill(beta);
    start(beta);
    await untilWhole(nodes, 30_000, { tls: files });
  };

  // At once it would cut this node off: neither its own server nor the others know the authority.
  setTls([first], fresh);
  await said(reload, /TLS: .*the old and the new one first/);
  expect(await subjectServed(first.port, old)).toBe("old");
  // Both, on one node: its own server would let it in, the others not yet.
  setTls([first], { ...old, ca: both });
  await said(reload, /"applied: tls files/);
  setTls([first], { ...fresh, ca: both });
  await said(reload, /tls files: .*: .*the old and the new one first/);
  expect(await subjectServed(first.port, either)).toBe("old");
  setTls(others, { ca: both });
  await untilAllServe("fresh", [first], either);
  await untilAllEnterAnew(either);

  setTls(others, { cert: fresh.cert, key: fresh.key });
  await untilAllServe("fresh", others, either);
  for (const one of otherReloads) expect(one.output).not.toContain("ReloadRefused");
  setTls(nodes, { ca: fresh.ca });
  await until(
    "the old authority is nobody's",
    () =>
      Promise.all(
        nodes.map(({ port }) => ask({ port }, [["PING"]], { tls: either }).catch(() => "refused")),
      ),
    (seen) => seen.every((one) => one === "refused"),
    20_000,
  );
  await untilAllEnterAnew(fresh);
});

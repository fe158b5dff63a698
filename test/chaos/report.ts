import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RoundResult } from "./round.ts";

export const resultsFolder = fileURLToPath(new URL("results/", import.meta.url));

export function writeReport(results: readonly RoundResult[], folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/report.json`, JSON.stringify(results, null, 1));
}

/** Of what a server printed before it ended, the line that says why. Pure. */
export function chooseLine(log: string): string {
  const lines = log
    .replace(/[^\x20-\x7e\n]/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const directive = lines.findLastIndex((line) => line.startsWith(">>> '"));
  if (directive >= 0) return lines.slice(directive).join(" ").slice(">>> ".length);
  const crash = /ASSERTION FAILED|==> |crashed by signal|Fatal|already in use/i;
  return lines.findLast((line) => crash.test(line)) ?? lines.at(-1) ?? "it printed nothing";
}

/** Of what a server printed before it ended, the line that says why. Pure. */
export function chooseLine(log: string): string {
  const lines = log
    .replace(/[^\x20-\x7e\n]/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  // Redis 8 has it in the middle of a line, and goes on with one about modules.
  const directive = lines.findLast((line) => line.includes(">>> '"));
  if (directive !== undefined)
    return `${directive.slice(directive.indexOf(">>> '") + ">>> ".length)} is not understood`;
  const crash = /ASSERTION FAILED|==> |crashed by signal|Fatal|already in use/i;
  return lines.findLast((line) => crash.test(line)) ?? lines.at(-1) ?? "it printed nothing";
}

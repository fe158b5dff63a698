/**
 * apachebench against an address, one run after the other until SIGUSR2; the run that it comes in is the last. Runs in a pod of its
 * own, and prints JSON, a line each: every second what ab has seen in it, and what ab says at the end of each run.
 *
 * The seconds are ab's own: with `-v 3` it says the code of each response when it has it, and `-r` has it go on after a connection
 * that breaks, and say so. Who reads this can add the seconds up, and compare them with what ab counts at the end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export type AttackLine =
  /** Milliseconds since 1970, and what came in the second before. */
  | { readonly at: number; readonly fine: number; readonly failed: number }
  /** What ab printed at the end, and the code that it ended with: other than 0 where it gave up. */
  | { readonly report: string; readonly exitCode: number }
  | { readonly ended: true };

const [address = "", requests = "100000"] = process.argv.slice(2);
// Else what ab prints would wait for a buffer to fill.
const command = ["-oL", "ab", "-r", "-v", "3", "-n", requests, "-c", "10", address] as const;

let isLast = false;
process.once("SIGUSR2", () => {
  isLast = true;
});
process.once("SIGTERM", () => process.exit(0));

const say = (line: AttackLine) => console.log(JSON.stringify(line));
const seen = { fine: 0, failed: 0 };
function tellSecond(): void {
  say({ at: Date.now(), ...seen });
  Object.assign(seen, { fine: 0, failed: 0 });
}
const clock = setInterval(tellSecond, 1_000);

function read(line: string): void {
  if (line.startsWith("LOG: Response code = 2")) seen.fine++;
  // Refused, broken off, timed out: on stderr.
  else if (/^WARNING: Response code not 2xx|^(apr_socket_recv|socket read failure)/.test(line))
    seen.failed++;
}

const linesOf = async (stream: ChildProcess["stdout"], each: (line: string) => void) => {
  for await (const line of createInterface({ input: stream as NodeJS.ReadableStream })) each(line);
};

while (!isLast) {
  const ab = spawn("stdbuf", command, { stdio: ["ignore", "pipe", "pipe"] });
  const report: string[] = [];
  const [exitCode] = await Promise.all([
    new Promise<number>((resolve) => ab.once("exit", (code) => resolve(code ?? 1))),
    linesOf(ab.stdout, (line) => {
      read(line);
      if (report.length > 0 || line.startsWith("Server Software:")) report.push(line);
    }),
    linesOf(ab.stderr, (line) => {
      read(line);
      if (line.startsWith("apr_") && !line.startsWith("apr_socket_recv")) report.push(line);
    }),
  ]);
  say({ report: report.join("\n").trim(), exitCode });
}
clearInterval(clock);
tellSecond();
say({ ended: true });
// A pod that ends is started again.
setInterval(() => {}, 1_000);

/** A command of the system, with a deadline. */
import { execFile } from "node:child_process";

/** @returns what it printed. @throws Error with what it said where it fails. */
export function run(
  command: string,
  args: readonly string[],
  deadlineMs = 10_000,
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { timeout: deadlineMs }, (thrown, stdout, stderr) => {
      if (thrown)
        reject(new Error(`${command} ${args.join(" ")}: ${stderr.trim() || thrown.message}`));
      else resolve(stdout);
    });
  });
}

export async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}

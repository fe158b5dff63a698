// What the scripts tell the person who runs them.

export function say(line) {
  process.stderr.write(`rekindle: ${line}\n`);
}

/** Ends with the exit code of a wrong configuration. */
export function fail(line, hint) {
  say(`${line}; ${hint}`);
  process.exit(78);
}

/**
 * Why a server did not start, in its own words, on one line and without secrets. Pure.
 */

/** `pid:role date # message` */
const logLine = /^\d+:\w \d+ \w+ \d{4} [\d:.]+ ([#*.-]) (.*)$/;

/** @param said all that it has printed. */
export function serversWords(said: string): string {
  const lines = said.split("\n").map((line) => line.trim());
  const fatal = lines.findIndex((line) => line.startsWith("*** FATAL CONFIG FILE ERROR"));
  if (fatal >= 0) return lines.slice(fatal).filter(Boolean).map(withoutSecrets).join(" ");
  const warnings = lines.flatMap((line) => {
    const [, level, message = ""] = logLine.exec(line) ?? [];
    return level === "#" && !isGreeting(message) ? [message] : [];
  });
  if (warnings.length > 0) return warnings.slice(-2).join(" ");
  return lines.filter(Boolean).at(-1) ?? "the server ended without a word";
}

const isGreeting = (message: string): boolean =>
  /^(oO0OoO0|(Redis|Valkey) version=|Configuration loaded|Server initialized|WARNING)/.test(
    message,
  );

const secretLine =
  /^>>> '(user|requirepass|masterauth|primaryauth|tls-(client-)?key-file-pass)\b.*'$/i;

const withoutSecrets = (line: string): string => line.replace(secretLine, ">>> '$1 ***'");

/**
 * The names under which facts of a server go that are no settings.
 */
export const userPrefix = "user ";
/** Known at a server's start only, and no settings that CONFIG SET knows. */
export const onlyAtStart: ReadonlySet<string> = new Set(["loadmodule", "rename-command"]);
/** The contents of the TLS files, which the server has read and does not tell. */
export const tlsFiles = "tls files";
export const userKey = (name: string): string => `${userPrefix}${name}`;

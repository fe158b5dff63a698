/**
 * The names under which facts of a server go that are no settings.
 */
export const userPrefix = "user ";
/** The contents of the TLS files, which the server has read and does not tell. */
export const tlsFiles = "tls files";
export const userKey = (name: string): string => `${userPrefix}${name}`;

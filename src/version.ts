declare const REKINDLE_VERSION: string | undefined;

/** Ours, put in by the build; sources that run unbuilt have none. */
export const version = typeof REKINDLE_VERSION === "string" ? REKINDLE_VERSION : "0.0.0-source";

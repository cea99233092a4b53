/** Wire version, sent in `hello` and bound into every signature's domain tag (PROTOCOL.md 1.1). */
export const PROTOCOL_VERSION = 1;

/** One version for all workspaces. */
export const SOFTWARE_VERSION = '0.1.0';

/** The coordinator as a library: build it in a test or inside another process. */
export { type App, type AppOptions, createApp, type ListenOptions } from './app.ts';
export { makeKeyFile } from './at-rest/key.ts';
export { checkFolder } from './backup/check.ts';
export { restoreBackup, restoreInPlace } from './backup/restore.ts';
export { writeBackup } from './backup/write.ts';
export { createLog } from './log.ts';
export { type RotatedOwnKey, rotateOwnKey } from './rotate-key.ts';
export { type IsProxy, parseProxies } from './transport/listen/proxies.ts';
export { loadTls, type TlsFiles } from './transport/listen/tls-files.ts';

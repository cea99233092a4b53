/** The coordinator as a library: build it in a test or inside another process. */
export { type App, type AppOptions, createApp, type ListenOptions } from './app.ts';
export { createLog } from './log.ts';

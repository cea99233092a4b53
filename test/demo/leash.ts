/**
 * Imported first by every process of the demo: none outlives the demo itself, not even when that is killed. The channel
 * alone keeps no process running; one that waits for messages says `process.channel.ref()`.
 */
process.once('disconnect', () => process.exit(1));
process.channel?.unref();

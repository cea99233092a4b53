/** Does an engine load and compute right, in a process of its own? */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run, tail } from './command.js';
import { addonOf, home, packageIn, usualPackage } from './places.js';

/**
 * @param {string} tfjsNode folder of the package
 * @returns {Promise<{ tensorflow: string } | { fault: string }>}
 */
export async function verify(tfjsNode) {
  if (!existsSync(addonOf(tfjsNode))) return { fault: 'the addon is not there' };
  const { ok, output, stdout } = await run(
    [process.execPath, join(import.meta.dirname, 'probe.js'), tfjsNode],
    {
      env: { TF_CPP_MIN_LOG_LEVEL: '2', NODE_OPTIONS: '' },
      timeout: 120,
    },
  );
  return ok ? JSON.parse(stdout.trim().split('\n').at(-1) ?? '') : { fault: tail(output) || 'it crashes' };
}

/** The engine that a node would load now: npm's own, else ours. */
export async function findEngine() {
  for (const tfjsNode of [usualPackage, packageIn(home)]) {
    const found = await verify(tfjsNode);
    if ('tensorflow' in found) return { folder: tfjsNode, ...found };
  }
  return undefined;
}

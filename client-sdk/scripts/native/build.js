/** Compiles the addon of tfjs-node against the libraries in its deps folder. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { headersFolder } from './checks.js';
import { Failure, run, tail } from './command.js';
import { addonOf } from './places.js';

/**
 * @param {string} folder the staging folder
 * @param {string} tfjsNode folder of the package
 */
export async function buildAddon(folder, tfjsNode) {
  const tool = join(folder, 'node_modules/@mapbox/node-pre-gyp/bin/node-pre-gyp');
  const headers = headersFolder();
  const env = {
    CXXFLAGS: `${process.env.CXXFLAGS ?? ''} -std=c++17`.trim(),
    ...(headers ? { npm_config_nodedir: headers } : {}),
  };
  const { ok, output } = await run([process.execPath, tool, 'install', '--build-from-source'], {
    cwd: tfjsNode,
    env,
  });
  if (!ok || !existsSync(addonOf(tfjsNode)))
    throw new Failure(
      'The addon could not be compiled.',
      headers
        ? 'The end of the compiler output is above.'
        : "Node's headers are not here and could not be downloaded: install Node from its official archive, which has " +
            'include/node, or name a folder that has it: npm run native --nodedir=FOLDER',
      tail(output.replace(/^(?:node-pre-gyp|gyp|Failed to execute) .*\n?/gm, '')),
    );
  for (const left of ['build', 'deps/include'])
    rmSync(join(tfjsNode, left), { recursive: true, force: true });
}

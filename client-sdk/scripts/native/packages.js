/** The package and its dependencies, in the versions and with the checksums of the project's lock. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Failure, run, tail } from './command.js';
import { nodeModules, root } from './places.js';

const NAME = '@tensorflow/tfjs-node';

/**
 * @typedef {{ version: string, dependencies?: Record<string, string>, optionalDependencies?: Record<string, string> }} Entry
 * @typedef {Record<string, Entry>} Packages
 */

/** @param {string} folder */
export async function installPackages(folder) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const needed = closure(packages);
  const version = needed[`node_modules/${NAME}`]?.version ?? '';
  const manifest = {
    name: 'tributary-native',
    version: '0.0.0',
    private: true,
    dependencies: { [NAME]: version },
  };
  mkdirSync(folder, { recursive: true });
  const lock = { ...manifest, lockfileVersion: 3, requires: true, packages: { '': manifest, ...needed } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock));
  if (existsSync(join(root, '.npmrc'))) copyFileSync(join(root, '.npmrc'), join(folder, '.npmrc'));
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  // npm passes its settings on to scripts; those of the outer run (--omit, --workspace) are not meant for this one.
  const env = { npm_config_omit: '', npm_config_workspace: '', npm_config_workspaces: '' };
  const { ok, output } = await run([...npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    env,
  });
  if (!ok)
    throw new Failure(
      'npm could not install the packages.',
      'See above; is the registry reachable?',
      tail(output),
    );
  shareEngine(folder);
}

/**
 * tfjs-core and its companions must be one instance, that of the project.
 * @param {string} folder
 */
function shareEngine(folder) {
  const scope = 'node_modules/@tensorflow';
  for (const name of readdirSync(join(folder, scope))) {
    const ours = join(nodeModules, '@tensorflow', name);
    if (name === 'tfjs-node' || !existsSync(ours)) continue;
    const [here, there] = [ours, join(folder, scope, name)].map(
      (at) => JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')).version,
    );
    if (here !== there)
      throw new Failure(
        `@tensorflow/${name} is installed as ${here}, the lock says ${there}.`,
        'Run `npm ci`, then this again.',
      );
    rmSync(join(folder, scope, name), { recursive: true });
  }
}

/**
 * Everything in the lock that the package needs, found as Node finds modules.
 * @param {Packages} packages
 */
function closure(packages) {
  /** @type {Packages} */
  const found = {};
  const visit = (/** @type {string} */ at) => {
    const entry = packages[at];
    if (!entry || found[at]) return;
    // Here nothing is optional: what fails must fail.
    const {
      dev: _dev,
      optional: _optional,
      devOptional: _devOptional,
      peer: _peer,
      ...rest
    } = /** @type {Entry & Record<string, unknown>} */ (entry);
    found[at] = rest;
    for (const name of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })) {
      const place = places(at, name).find((candidate) => packages[candidate]);
      if (place) visit(place);
    }
  };
  visit(`node_modules/${NAME}`);
  if (!found[`node_modules/${NAME}`])
    throw new Failure(`package-lock.json does not have ${NAME}.`, 'Check the repository out afresh.');
  return found;
}

/**
 * @param {string} at
 * @param {string} name
 */
function places(at, name) {
  const parts = at.split('/node_modules/');
  return [
    ...parts.map((_, i) => `${parts.slice(0, parts.length - i).join('/node_modules/')}/node_modules/${name}`),
    `node_modules/${name}`,
  ];
}

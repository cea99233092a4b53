/** The machine: Node, packages, memory, disk. */
import { access, constants, readFile, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { freemem, totalmem } from 'node:os';
import { type Check, type Finding, failed, fine, SOFTWARE_VERSION, warning } from '@tributary/protocol';

const require = createRequire(import.meta.url);
/** Of package.json, `engines`. */
const OLDEST = [20, 19] as const;
const TESTED = [20, 22, 24];

export const machineChecks: readonly Check[] = [
  { name: 'node', run: async () => [nodeVersion(process.versions.node)] },
  { name: 'packages', run: packages },
  { name: 'memory', run: async () => [memory(freemem(), totalmem())] },
];

export function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    return failed(
      'node',
      `Node ${version} is too old.`,
      `Install Node ${OLDEST.join('.')} or newer, such as 22 from nodejs.org, then \`npm ci\`.`,
    );
  if (!TESTED.includes(major))
    return warning(
      'node',
      `Node ${version}: Tributary is tested on ${TESTED.join(', ')}.`,
      'If something fails, take one of those.',
    );
  return fine('node', `Node ${version} on ${process.platform} ${process.arch}`);
}

async function packages(): Promise<Finding[]> {
  const version = async (name: string): Promise<string> => {
    const text = await readFile(require.resolve(`${name}/package.json`), 'utf8');
    return (JSON.parse(text) as { version: string }).version;
  };
  const names = ['core', 'layers', 'backend-wasm'].map((name) => `@tensorflow/tfjs-${name}`);
  const versions = await Promise.allSettled(names.map(version));
  const missing = names.filter((_, i) => versions[i]!.status === 'rejected');
  if (missing.length > 0)
    return [failed('packages', `${missing.join(', ')} cannot be found.`, 'Run `npm ci` again.')];
  const different = new Set(versions.map((found) => (found.status === 'fulfilled' ? found.value : '')));
  if (different.size > 1)
    return [
      failed('packages', `The parts of tfjs differ: ${[...different].join(', ')}.`, 'Run `npm ci` again.'),
    ];
  const message = `Tributary ${SOFTWARE_VERSION}, tfjs ${[...different][0]}`;
  return [fine('packages', message), await imagePackage()];
}

async function imagePackage(): Promise<Finding> {
  try {
    await import('sharp');
    return fine('images', 'sharp is there: PNG and JPEG folders can be read');
  } catch {
    return warning(
      'images',
      'The optional package sharp is missing or does not load: folders of PNG and JPEG cannot be read.',
      'If your data are images: `npm install sharp`. CSV and IDX need nothing.',
    );
  }
}

const GB = 1e9;

export function memory(free: number, total: number): Finding {
  const text = `${(free / GB).toFixed(1)} GB free of ${(total / GB).toFixed(1)} GB`;
  if (free >= GB) return fine('memory', text);
  return warning(
    'memory',
    text,
    'Training takes 0.3 GB and more: end other programs, or train smaller nets.',
  );
}

const size = (bytes: number): string =>
  bytes < GB ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / GB).toFixed(1)} GB`;

/** Beyond what lies there already: bytes. */
export async function diskSpace(check: string, folder: string, need: number): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const text = `${size(free)} free in ${folder}`;
  if (free < need)
    return failed(
      check,
      `${text}, a round may need ${size(need)}.`,
      `Free some space there; \`df -h ${folder}\` shows the disk.`,
    );
  return fine(check, text);
}

/** A disk that is mounted read-only refuses even root. */
export async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

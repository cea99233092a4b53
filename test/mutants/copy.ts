/** A copy of the sources in which invariants can be broken, without touching those that somebody works on. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Mutant } from './mutant.ts';

/** Of the repository: this runs from the sources, and built. */
export const ROOT = ['../..', '../../..']
  .map((path) => join(import.meta.dirname, path))
  .find((path) => existsSync(join(path, 'package-lock.json')))!;

const PACKAGES = ['protocol', 'server', 'client-sdk', 'test'] as const;
const FILES = ['package.json', 'tsconfig.json', 'vitest.config.ts'] as const;

export interface Copy {
  readonly folder: string;
  /** With the mutant's edit for as long as `during` takes. @throws when the text is not there, or more than once */
  broken<T>(mutant: Mutant, during: () => Promise<T>): Promise<T>;
  remove(): void;
}

/** Packages find each other in the copy; what they depend on stays where it is. */
export function createCopy(): Copy {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-mutants-'));
  const leaveOut = new Set(['node_modules', '.tributary', 'coverage']);
  for (const name of [...PACKAGES, ...FILES])
    cpSync(join(ROOT, name), join(folder, name), {
      recursive: true,
      filter: (path) => !leaveOut.has(basename(path)),
    });
  mkdirSync(join(folder, 'node_modules/@tributary'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (name !== '@tributary' && !name.startsWith('.'))
      symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  for (const name of PACKAGES)
    symlinkSync(join('../..', name), join(folder, 'node_modules/@tributary', name));
  return {
    folder,
    async broken(mutant, during) {
      const path = join(folder, mutant.file);
      const sound = readFileSync(path, 'utf8');
      writeFileSync(path, edited(sound, mutant));
      try {
        return await during();
      } finally {
        writeFileSync(path, sound);
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }),
  };
}

function edited(sound: string, { name, file, find, replace }: Mutant): string {
  const [before, after, ...more] = sound.split(find);
  if (after === undefined || more.length > 0)
    throw new Error(
      `${name}: ${file} holds ${JSON.stringify(find)} ${more.length + (after === undefined ? 0 : 1)} times, not once.`,
    );
  return `${before}${replace}${after}`;
}

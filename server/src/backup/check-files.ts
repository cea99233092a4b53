/** Files against the rows that name them. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Finding, failed, fine, isOver, warning } from '@tributary/protocol';
import { type RunState, updatesOf } from '../round/index.ts';
import { HASH, PART } from '../storage/files.ts';
import { type CheckContext, look, soundness } from './check-context.ts';
import { replayed } from './check-rows.ts';
import { LEFTOVER_REMEDY, leftoversOf } from './files.ts';

export async function modelFindings({ folder, store, encryption }: CheckContext): Promise<Finding[]> {
  const heads = new Map((await store.runs()).map(({ id, model, status }) => [model, { id, status }]));
  const named = [...(await store.namedBlobs())].sort();
  const wrong: Finding[] = [];
  for (const hash of named) {
    const found = await look(join(folder, 'blobs', hash), hash, encryption);
    if (found === 'sound') continue;
    const head = heads.get(hash);
    const what = `Model ${hash} is ${found === 'missing' ? 'missing or cannot be read' : 'damaged'}`;
    const any = encryption.marked
      ? 'it has to be one under the same key.'
      : 'any copy will do, also one that `tributary models pull` wrote as model.safetensors.';
    const copy = `Copy the file of this name from the folder \`blobs\` of a backup into ${join(folder, 'blobs')}; ${any}`;
    if (head && !isOver(head.status))
      wrong.push(
        failed(
          'models',
          `${what}: run ${head.id} goes on from it.`,
          `${copy} If there is none, \`tributary runs cancel ${head.id}\`, and start another run from an earlier round with \`tributary runs start PLAN --weights FILE\`.`,
        ),
      );
    else wrong.push(failed('models', `${what}: it belongs to the history of a run.`, copy));
  }
  return wrong.length > 0
    ? wrong
    : [fine('models', `${named.length} named by runs, all ${soundness(encryption)}`)];
}

/**
 * Masked updates of open attempts: each acknowledged one is there as it was. Those of attempts from before a restore are
 * not: no backup holds any.
 */
export async function updateFindings(context: CheckContext): Promise<Finding[]> {
  const wrong: Finding[] = [];
  const epoch = await context.store.epoch();
  let count = 0;
  for (const { id, state } of await replayed(context)) {
    const open = openAttempt(state);
    if (open?.announcement.epoch !== epoch) continue;
    for (const { member, sha256 } of updatesOf(open)) {
      count++;
      const path = join(context.folder, 'spool', open.attempt, member);
      if ((await look(path, sha256, context.encryption)) === 'sound') continue;
      wrong.push(
        failed(
          'updates',
          `The update of ${member} in the open attempt of run ${id} is missing or damaged.`,
          'Nothing to do: at the next start this attempt is void, and the next one opens by itself.',
        ),
      );
    }
  }
  return wrong.length > 0
    ? wrong
    : [fine('updates', `${count} of open attempts, all ${soundness(context.encryption)}`)];
}

function openAttempt({ stage }: RunState) {
  return stage.kind === 'attempt' || stage.kind === 'summing' ? stage.open.secagg : null;
}

export async function strayFindings(context: CheckContext): Promise<Finding[]> {
  const { folder, store } = context;
  const named = await store.namedBlobs();
  const blobs = (await list(join(folder, 'blobs'))).filter((name) => !HASH.test(name) || !named.has(name));
  const open = new Set((await replayed(context)).map(({ state }) => openAttempt(state)?.attempt));
  const spools = (await list(join(folder, 'spool'))).filter((name) => !open.has(name));
  const seen = [...blobs.map((name) => join('blobs', name)), ...spools.map((name) => join('spool', name))];
  const foreign = seen.filter((path) => !HASH.test(basename(path)) && !path.endsWith(PART));
  const own = seen.filter((path) => !foreign.includes(path));
  const found = [
    [
      own,
      'Nothing to do: an upload may be under way; else the coordinator deletes them at its next start, models after an hour.',
    ],
    [
      foreign,
      'They are none of the coordinator’s, which leaves them alone: delete them if nobody needs them.',
    ],
  ] as const;
  if (seen.length === 0) return [fine('strays', 'none')];
  return found.flatMap(([paths, remedy]) =>
    paths.length === 0
      ? []
      : [warning('strays', `${paths.length} files that nothing names, such as ${paths[0]}.`, remedy)],
  );
}

/** Beside the folder, where a `backup` or `restore` that was killed left them. */
export async function leftoverFindings({ folder }: CheckContext): Promise<Finding[]> {
  const left = await leftoversOf(folder);
  if (left.length === 0) return [];
  return [warning('leftovers', `Half a backup or restore: ${left.join(', ')}.`, LEFTOVER_REMEDY)];
}

async function list(folder: string): Promise<string[]> {
  return readdir(folder).catch((cause) => {
    if (cause.code === 'ENOENT') return [];
    throw cause;
  });
}

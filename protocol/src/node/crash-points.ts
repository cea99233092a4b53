/**
 * Named instants around everything that is made durable, at which a test lets a process die as by `kill -9`
 * (`npm run chaos`). Without the variable TRIBUTARY_CRASH_AT each is a test of one boolean.
 */
import { TributaryError } from '../errors.ts';

/** What one transaction of the coordinator carries; `other` for the rest: consents, adverts, signatures, shares. */
export const COMMIT_KINDS = [
  'opened',
  'roster',
  'cohort',
  'update',
  'survivors',
  'agreed',
  'summing',
  'published',
  'void',
  'ended',
  'paused',
  'unpaused',
  'revoked',
  'left',
  'abandonment',
  'other',
] as const;
export type CommitKind = (typeof COMMIT_KINDS)[number];

const FILE_KINDS = ['identity', 'blob', 'spool'] as const;
export type FileKind = (typeof FILE_KINDS)[number];

/** In the order in which a coordinator comes to them. */
export const COORDINATOR_CRASH_POINTS = [
  ...FILE_KINDS.flatMap((kind) => [`coordinator.${kind}.synced`, `coordinator.${kind}.renamed`] as const),
  'coordinator.admin-token.committed',
  'coordinator.recovery.committed',
  'coordinator.recovered',
  'coordinator.resumed',
  'coordinator.strays.removed',
  'coordinator.invite.committed',
  'coordinator.enrol.applied',
  'coordinator.enrol.committed',
  'coordinator.session.touched',
  'coordinator.instance.committed',
  'coordinator.token.committed',
  'coordinator.token-revoked.committed',
  'coordinator.partner-suspended.committed',
  'coordinator.partner-resumed.committed',
  'coordinator.partner-removed.applied',
  'coordinator.partner-removed.committed',
  'coordinator.revocation.done',
  'coordinator.run.committed',
  'coordinator.upload.written',
  'coordinator.partial.durable',
  ...COMMIT_KINDS.flatMap(
    (kind) => [`coordinator.${kind}.committing`, `coordinator.${kind}.committed`] as const,
  ),
  'coordinator.evaluation.committing',
  'coordinator.evaluation.committed',
  'coordinator.transaction.journalled',
  'coordinator.transaction.compacted',
  'coordinator.transaction.applied',
  'coordinator.effects.performed',
  'coordinator.fold.done',
  'coordinator.sum.known',
  'coordinator.model.stored',
  'coordinator.spool.removed',
] as const;

/** Of `tributary-server backup`, `restore` and `rotate-key`, processes of their own. */
export const TOOL_CRASH_POINTS = [
  'backup.database.copied',
  'backup.models.copied',
  'backup.manifest.written',
  'backup.folder.renamed',
  'restore.files.copied',
  'restore.epoch.raised',
  'restore.folder.renamed',
  'coordinator.rotate.own',
] as const;

/** Files of a node's state folder, without `.json`. */
const NODE_FILES = ['identity', 'coordinator', 'members', 'approvals'] as const;
export type NodeFile = (typeof NODE_FILES)[number] | 'identity.next' | 'rotation';
const RECORDS = ['started', 'announced', 'vector-sent', 'certified', 'published', 'refused'] as const;
const SENT = [
  'instance',
  'engine',
  'decline',
  'consent',
  'advert',
  'shares',
  'agree',
  'unmask',
  'leave',
  'abandon',
  'evaluation',
] as const;

/** In the order in which a node comes to them. */
export const NODE_CRASH_POINTS = [
  ...NODE_FILES.flatMap(
    (file) => [`node.${file}.synced`, `node.${file}.renamed`, `node.${file}.durable`] as const,
  ),
  'node.enrol.bound',
  ...RECORDS.flatMap(
    (record) => [`node.${record}.appending`, `node.${record}.written`, `node.${record}.durable`] as const,
  ),
  ...SENT.flatMap((type) => [`node.${type}.sending`, `node.${type}.sent`] as const),
  'node.trained',
  'node.evaluated',
  'node.masked',
  'node.upload.latched',
  'node.upload.acknowledged',
] as const;

/** Once in a year, so that `npm run chaos` does not wait for them; tests of their own do. */
export const ROTATION_CRASH_POINTS = [
  'coordinator.rotate.applied',
  'coordinator.rotate.committed',
  'node.rotate.bound',
  'node.rotate.told',
  'node.enrol-again.bound',
  ...(['identity.next', 'rotation'] as const).flatMap(
    (file) => [`node.${file}.synced`, `node.${file}.renamed`, `node.${file}.durable`] as const,
  ),
] as const;

export type CrashPoint =
  | (typeof COORDINATOR_CRASH_POINTS)[number]
  | (typeof TOOL_CRASH_POINTS)[number]
  | (typeof NODE_CRASH_POINTS)[number]
  | (typeof ROTATION_CRASH_POINTS)[number];

/** All that chaos must hit. */
export const CRASH_POINTS: readonly CrashPoint[] = [
  ...COORDINATOR_CRASH_POINTS,
  ...TOOL_CRASH_POINTS,
  ...NODE_CRASH_POINTS,
];

interface Armed {
  readonly name: string;
  /** Passages until it dies. */
  left: number;
}

const armed = armAll(process.env.TRIBUTARY_CRASH_AT);

/** @param text with commas between them: it dies at the first that it comes to */
function armAll(text: string | undefined): readonly Armed[] | null {
  return text ? text.split(',').map(arm) : null;
}

/** @param text `name`, or `name:k` for the k-th passage of it in one thread. @throws malformed */
function arm(text: string): Armed {
  const [name = '', passage = '1'] = text.split(':');
  const left = Number(passage);
  const known: readonly string[] = [...CRASH_POINTS, ...ROTATION_CRASH_POINTS];
  if (!known.includes(name) || !Number.isSafeInteger(left) || left < 1)
    throw new TributaryError(
      'malformed',
      `TRIBUTARY_CRASH_AT: ${JSON.stringify(text)} names no crash point.`,
      {
        remedy: 'It is for tests only: unset it.',
      },
    );
  return { name, left };
}

/** Here the process dies, if a test said so. */
export function crashPoint(name: CrashPoint): void {
  if (armed === null) return;
  const here = armed.find((point) => point.name === name);
  if (!here || --here.left > 0) return;
  try {
    // At once, also in a worker thread, and without an import: the rest of this package runs in browsers.
    process.getBuiltinModule('node:fs').writeSync(2, `crash point ${name}\n`);
  } catch {
    // It dies all the same.
  }
  process.kill(process.pid, 'SIGKILL');
}

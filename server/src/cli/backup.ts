/** `tributary-server backup` and `restore`. */
import { resolve } from 'node:path';
import { fingerprint, isOver } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { defineCommand } from 'citty';
import { LEFTOVER_REMEDY } from '../backup/files.ts';
import { type RestoreReport, restoreBackup, restoreInPlace } from '../backup/restore.ts';
import { writeBackup } from '../backup/write.ts';
import { encryptBlobsArg, keyFileOf } from './blob-key.ts';
import { refuseUnknown, usage } from './usage.ts';

const JSON_FLAG = {
  type: 'boolean',
  default: false,
  description: 'Print one JSON object instead of text',
} as const;

const BACKUP_ARGS = {
  data: { type: 'string', required: true, description: 'Data folder; its coordinator may be running' },
  out: { type: 'string', required: true, description: 'Folder to make, such as backups/2026-11-23' },
  'encrypt-blobs': encryptBlobsArg('Key of an encrypted data folder, to check its models'),
  json: JSON_FLAG,
} as const;

export const backup = defineCommand({
  meta: {
    name: 'backup',
    description:
      'Write database, models and the coordinator’s key into a new folder, while it runs or not. Whoever has the folder can act as the coordinator.',
  },
  args: BACKUP_ARGS,
  async run({ args, rawArgs }) {
    refuseUnknown(rawArgs, BACKUP_ARGS, args);
    const report = await writeBackup(resolve(args.data), resolve(args.out), keyFileOf(args['encrypt-blobs']));
    const text = [
      `Backup of ${report.live ? 'the running coordinator' : 'the stopped coordinator'} in ${report.out}:`,
      `${report.models} models, ${(report.bytes / 1e6).toFixed(1)} MB, epoch ${report.epoch}.`,
      ...(report.encrypted
        ? [`The models are encrypted under key ${report.encrypted}, which is not in it: keep that apart.`]
        : []),
      ...(report.modelsChecked
        ? []
        : ['Whether they decrypt was not checked: give the key with --encrypt-blobs.']),
      'It holds the coordinator’s private key: keep it like that, and encrypt it where it leaves this machine.',
      ...describeLeftovers(report.leftovers),
    ];
    print(args.json, report, text);
  },
});

const RESTORE_ARGS = {
  from: { type: 'string', description: 'Folder that `backup` made' },
  data: { type: 'string', required: true, description: 'Data folder to make; must be missing or empty' },
  'in-place': {
    type: 'boolean',
    default: false,
    description: 'For a data folder that came back by other means, such as a disk image: raise its epoch',
  },
  'encrypt-blobs': encryptBlobsArg('Encrypt models and updates of the new folder under this key'),
  'decrypt-blobs': {
    type: 'string',
    valueHint: 'KEYFILE',
    description: 'Key of the backup: takes its encryption away, or exchanges the key',
  },
  json: JSON_FLAG,
} as const;

export const restore = defineCommand({
  meta: {
    name: 'restore',
    description: 'Make a data folder from a backup, every hash checked, in a new epoch.',
  },
  args: RESTORE_ARGS,
  async run({ args, rawArgs }) {
    refuseUnknown(rawArgs, RESTORE_ARGS, args);
    const { from, data } = args;
    if (from === undefined && !args['in-place']) usage('--from is missing: the folder of the backup.');
    const decrypt = args['decrypt-blobs'];
    if (from === undefined && (decrypt ?? args['encrypt-blobs']) !== undefined)
      usage('--encrypt-blobs and --decrypt-blobs go with --from.');
    if (from !== undefined && args['in-place']) usage('--in-place goes without --from.');
    const report =
      from === undefined
        ? await restoreInPlace(resolve(data))
        : await restoreBackup(resolve(from), resolve(data), {
            encryptBlobs: keyFileOf(args['encrypt-blobs']),
            decryptBlobs: decrypt === undefined ? undefined : resolve(decrypt),
          });
    print(args.json, report, describe(report));
  },
});

function describe({ data, coordinator, epoch, models, encrypted, runs, leftovers }: RestoreReport): string[] {
  const open = runs.filter(({ status }) => !isOver(status));
  return [
    `${data} is ready: ${runs.length} runs, ${models} models, key ${fingerprint(nodeCrypto, coordinator)}.`,
    `Epoch ${epoch.before} -> ${epoch.now}: nodes refuse a coordinator that is behind it.`,
    encrypted
      ? `Models and updates are encrypted under key ${encrypted}.`
      : 'Models and updates are not encrypted.',
    ...open.map(({ id, round }) => `Run ${id} goes on after round ${round}, with a new attempt.`),
    ...(open.length > 0
      ? [
          'A node that has seen more rounds says `rolled-back`: then cancel the run, `tributary models pull` its newest model, or a newer one that somebody has, and `tributary runs start PLAN --weights model.safetensors --perturb`.',
        ]
      : []),
    'A partner whose key changed after this backup: `tributary partners remove` and `invite` it, and it keeps its folder.',
    `Next: make sure that the former coordinator never runs again, then \`tributary-server start --data ${data}${encrypted ? ' --encrypt-blobs KEYFILE' : ''}\`.`,
    ...describeLeftovers(leftovers),
  ];
}

function describeLeftovers(leftovers: readonly string[]): string[] {
  if (leftovers.length === 0) return [];
  return [`Left by one that was killed: ${leftovers.join(', ')}. ${LEFTOVER_REMEDY}`];
}

function print(json: boolean, report: object, text: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${text.join('\n')}\n`);
}

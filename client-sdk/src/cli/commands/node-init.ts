/** Joining a coordinator: key, enrolment, node.yaml. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { decodeInvite, fingerprint, type Invite, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { enrol } from '../../node/enrol.ts';
import { findEnrolment } from '../../node/enrolment.ts';
import { parseYaml } from '../../node/yaml.ts';
import { shellWord } from '../../shell-word.ts';
import { command } from '../command.ts';
import { nodeSkeleton } from '../node-skeleton.ts';
import { fields, note, plural, printResult } from '../output.ts';
import { PASSPHRASE_ARGS, readPassphrase } from '../secrets.ts';
import { KEY_ARGS } from './node-shared.ts';

export const init = command({
  name: 'init',
  description: 'Make the key of this node on this machine and enrol it with the invite from the operator',
  examples: [
    {
      line: 'node init tributary-invite:...',
      does: 'in this folder; asks twice for a passphrase that encrypts the key',
    },
    {
      line: 'node init tributary-invite:... --dir clinic-a',
      does: 'in another folder; one that has a ledger keeps it, for who was removed and invited anew',
    },
    {
      line: 'node init tributary-invite:... --passphrase-file FILE',
      does: 'without a terminal; TRIBUTARY_PASSPHRASE works too',
    },
  ],
  args: {
    invite: { type: 'positional', description: 'The whole line from the operator' },
    dir: {
      type: 'string',
      default: '.',
      valueHint: 'DIR',
      description: 'Folder of node.yaml, made if needed',
    },
    ...PASSPHRASE_ARGS,
    'allow-insecure': KEY_ARGS['allow-insecure'],
  },
  async run(context, args) {
    const invite = decodeInvite(args.invite);
    const file = join(args.dir, 'node.yaml');
    const found = await readNodeFile(file, invite);
    const state = resolve(args.dir, found?.state ?? DEFAULT_STATE);
    const enrolled = (await findEnrolment(state)) !== undefined;
    const question = enrolled
      ? `Passphrase of ${state}, for the new key too`
      : `New passphrase for the key of ${invite.name}, 8 characters or more`;
    const passphrase = await readPassphrase(context, args['passphrase-file'], question, { twice: !enrolled });
    await mkdir(args.dir, { recursive: true, mode: 0o700 });
    const { identity, enrolment, members, again } = await enrol({
      invite: args.invite,
      folder: state,
      passphrase,
      allowInsecure: args['allow-insecure'],
      follow: found?.follow ?? false,
    });
    // Who may write it decides what this node does.
    const forOwner = { flag: 'wx', mode: 0o600 };
    if (!found) await writeFile(file, nodeSkeleton(enrolment.name, enrolment.role, DEFAULT_STATE), forOwner);
    const own = fingerprint(nodeCrypto, identity.id);
    const coordinator = fingerprint(nodeCrypto, enrolment.key);
    printResult(
      context,
      {
        ...{ ...enrolment, fingerprint: own, key: identity.id, coordinator: enrolment.key, state },
        ...{ config: file, again },
      },
      `${enrolment.name} is enrolled with ${enrolment.url}${again ? ' anew: the key is new, ledger and accepted members stay' : ''}.\n${fields(
        context,
        [
          ['own key', own],
          ['coordinator', coordinator],
          ['state', `${state}  (encrypted key, accepted members, ledger)`],
          ['config', `${file}${found ? '' : '  (new: say there where your data lies)'}`],
        ],
      )}`,
    );
    const others = members.filter((member) => member.key !== identity.id).length;
    note(
      context,
      enrolment.role === 'evaluator'
        ? `\nNext: tributary node start --config ${shellWord(file)}`
        : `\nTell the other partners your fingerprint by telephone (${plural(others, 'other')} enrolled so far). When all are:\n` +
            `  tributary node members list --config ${shellWord(file)}\n` +
            `  tributary node members accept NAME... --config ${shellWord(file)}\n` +
            `  tributary node start --config ${shellWord(file)}`,
    );
  },
});

const DEFAULT_STATE = './state';

interface NodeFile {
  readonly state: string;
  /** `rotation: follow` */
  readonly follow: boolean;
}

/** Looks into an existing node.yaml before a key is made: a wrong name would be found only at the start. */
async function readNodeFile(path: string, invite: Invite): Promise<NodeFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const file = parseYaml(text, path) as {
    name?: unknown;
    state?: unknown;
    policy?: { rotation?: unknown } | null;
  } | null;
  if (file?.name !== undefined && file.name !== invite.name)
    throw new TributaryError('conflict', `${path} has name ${file.name}, the invite is for ${invite.name}.`, {
      remedy: 'Correct `name`, or choose another folder with --dir.',
    });
  const follow = file?.policy?.rotation === 'follow';
  return { state: typeof file?.state === 'string' ? file.state : DEFAULT_STATE, follow };
}

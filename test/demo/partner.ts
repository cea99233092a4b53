/**
 * One partner, or the evaluator, as a process: makes its key and enrols, accepts the keys whose fingerprints it was told,
 * and from then on is `tributary node start`, the very command, in the same process. Started by house.ts with the
 * passphrase in the environment.
 */
import './leash.ts';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { acceptMember, enrol, listMembers } from '@tributary/client-sdk';
import { fingerprint, type Identity } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { holdAt } from './hold.ts';
import { CLI } from './programs.ts';

export interface Enrol {
  readonly invite: string;
  /** Holds node.yaml; the state folder comes into it. */
  readonly folder: string;
}

export interface Enrolled {
  readonly fingerprint: string;
}

export interface Spoken {
  /** What the other partners said on the telephone. */
  readonly fingerprints: Readonly<Record<string, string>>;
}

async function main(): Promise<void> {
  process.channel!.ref();
  const passphrase = process.env.TRIBUTARY_PASSPHRASE ?? '';
  const [{ invite, folder }] = (await once(process, 'message')) as [Enrol];
  const state = join(folder, 'state');
  const { identity } = await enrol({ invite, folder: state, passphrase });
  const spoken = once(process, 'message') as Promise<[Spoken]>;
  process.send!({ fingerprint: fingerprint(nodeCrypto, identity.id) } satisfies Enrolled);
  await acceptSpoken(state, identity, (await spoken)[0]);
  process.channel!.unref();
  holdAt(process.env.TRIBUTARY_DEMO_HOLD);
  process.argv.splice(
    1,
    process.argv.length,
    CLI,
    'node',
    'start',
    '--config',
    join(folder, 'node.yaml'),
    '--json',
  );
  await import(pathToFileURL(CLI).href);
}

/** A key counts only if its owner said the same fingerprint that the coordinator shows. */
async function acceptSpoken(folder: string, identity: Identity, { fingerprints }: Spoken): Promise<void> {
  const members = await listMembers({ folder, identity });
  for (const [name, said] of Object.entries(fingerprints)) {
    const member = members.find((each) => each.name === name);
    if (member?.status === 'self') continue;
    if (member?.fingerprint !== said)
      throw new Error(
        `${name} says its fingerprint is ${said}, the coordinator shows ${member?.fingerprint}.`,
      );
    await acceptMember(folder, name, { key: member.key });
  }
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});

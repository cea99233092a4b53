/** A running node: node.yaml and the state folder behind one FederatedClient. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Identity, Member, SpeedClass } from '@tributary/protocol';
import { FederatedClient } from '../client.ts';
import type { Successor } from '../connection/successor.ts';
import { policyRemarks } from '../policy/index.ts';
import { createExternalTrainer } from '../trainer/external/external-trainer.ts';
import type { Trainer } from '../trainer/port.ts';
import { createTfjsTrainer } from '../trainer/tfjs/tfjs-trainer.ts';
import { approvalsPath, loadDecisions, notePending } from './approvals.ts';
import type { NodeConfig } from './config.ts';
import { loadEnrolment, replaceCoordinator } from './enrolment.ts';
import { makePrivateFolder } from './files.ts';
import { loadIdentity } from './identity-file.ts';
import { createInTurn } from './in-turn.ts';
import { openFileLedger } from './ledger/file.ts';
import { lockFolder } from './lock.ts';
import { noteSeen } from './members.ts';
import { loadPinned, membersPath } from './members-file.ts';
import { checkMoves, type Move } from './moves.ts';
import { watchFile } from './watch.ts';

export interface StartNodeOptions {
  /** From `loadNodeConfig(path)`. */
  readonly config: NodeConfig;
  /** Opens `identity.json`. */
  readonly passphrase: string;
  /** Allows plain HTTP to another machine. */
  readonly allowInsecure?: boolean;
  /** Instead of the one that node.yaml names; closed with the node. */
  readonly trainer?: Trainer;
  /** Called with each line that the owner's own trainer program writes to standard error, and when it ends. */
  readonly onTrainerLog?: (line: string) => void;
  /** A partner whose key was accepted has another one now; `followed`: it is accepted in its place. */
  readonly onRotated?: (move: Move, followed: boolean) => void;
  /** The coordinator has a new key, which this node talks to: as the policy says, or as its owner did. */
  readonly onCoordinatorRotated?: (successor: Successor, by: 'policy' | 'owner') => void;
  /** Called before the node connects: the place for listeners. */
  readonly prepare?: (client: FederatedClient) => void;
}

export interface RunningNode {
  readonly client: FederatedClient;
  /** Of the trainer: `wasm`, `native`, `cpu` or an own one's name. */
  readonly engine: string;
  readonly speed: SpeedClass;
  /** What the policy means, and why a faster engine was passed over, in plain words, to print. */
  readonly remarks: readonly string[];
  /** Resolves with the first session. @throws as `FederatedClient.connect` */
  readonly connected: Promise<void>;
  /** Leaves attempts under way and frees everything. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts the node: it holds the state folder alone, connects, and takes part as its policy allows. Decisions and accepted
 * members that other processes write into the folder reach it within a second.
 * @throws already-running, not-found (no identity), forbidden (wrong passphrase), storage-failed, training-failed (no engine)
 */
export async function startNode(options: StartNodeOptions): Promise<RunningNode> {
  const { config, passphrase, allowInsecure = false } = options;
  const { state: folder, enrolment, policy } = config;
  /** Undone in reverse order. */
  const undo: (() => unknown)[] = [];
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      for (const step of undo.reverse()) await step();
    })();
    return closing;
  };
  try {
    await makePrivateFolder(folder);
    undo.push(await lockFolder(folder));
    // The engine loads in its own thread while this one opens the key.
    const loading = options.trainer ? Promise.resolve(options.trainer) : createTrainer(options);
    // Awaited further down; whatever ends this start before must not leave a rejection behind.
    const closeTrainer = loading.then(
      (trainer) => () => trainer.close(),
      () => () => {},
    );
    undo.push(async () => (await closeTrainer)());
    const identity = await loadIdentity(folder, passphrase);
    const ledger = await openFileLedger(join(folder, 'ledger'));
    undo.push(() => ledger.close());
    const trainer = await loading;
    const client = new FederatedClient({
      coordinator: enrolment,
      follow: followCoordinator(options),
      members: (await loadPinned(folder)).map(({ key }) => key),
      approvals: await loadDecisions(folder),
      ...{ identity, policy, ledger, trainer, allowInsecure },
    });
    undo.push(() => client.close());
    undo.push(keepInStep(client, options, identity));
    options.prepare?.(client);
    const connected = client.connect();
    // Whoever does not await it must not crash over it: `disconnected` tells the same.
    connected.catch(() => {});
    const { engine, speed } = trainer;
    const remarks = [...(trainer.remarks ?? []), ...policyRemarks(policy)];
    return { client, engine, speed, remarks, connected, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** As the policy says, or as the owner said meanwhile with `tributary node trust`. */
function followCoordinator({ config, onCoordinatorRotated }: StartNodeOptions) {
  const { state: folder, policy } = config;
  return async (successor: Successor): Promise<boolean> => {
    const trusted = (await loadEnrolment(folder)).key === successor.key;
    if (!trusted && policy.rotation !== 'follow') return false;
    await replaceCoordinator(folder, successor);
    onCoordinatorRotated?.(successor, trusted ? 'owner' : 'policy');
    return true;
  };
}

async function createTrainer({ config, onTrainerLog = () => {} }: StartNodeOptions): Promise<Trainer> {
  const { folder, engine, state } = config;
  if (!config.trainer) return createTfjsTrainer({ data: config.data, folder, engine });
  const { data, trainer } = config;
  // Beside the ledger and not among temporary files: what a crash left of an update is deleted by the next start.
  const scratch = join(state, 'trainer');
  await rm(scratch, { recursive: true, force: true });
  await makePrivateFolder(scratch);
  return createExternalTrainer({ ...trainer, cwd: folder, data, scratch, onLog: onTrainerLog });
}

/** Between the client and the files that the command line changes. @returns stops it */
function keepInStep(
  client: FederatedClient,
  { config, allowInsecure = false, onRotated = () => {} }: StartNodeOptions,
  identity: Identity,
): () => Promise<void> {
  const folder = config.state;
  const follow = config.policy.rotation === 'follow';
  const queue = createInTurn();
  const pin = async () => client.pin((await loadPinned(folder)).map(({ key }) => key));
  const told = new Set<string>();
  const listed = queue.newest(async ({ members }: { members: readonly Member[] }) => {
    await noteSeen(folder, members);
    const keys = new Set(members.map(({ key }) => key));
    if ((await loadPinned(folder)).every(({ key }) => keys.has(key))) return;
    const moves = await checkMoves({ folder, identity, allowInsecure, follow });
    if (follow) await pin();
    for (const move of moves) {
      if (!told.has(move.key)) onRotated(move, follow);
      told.add(move.key);
    }
  });
  // The command line is heard whatever the coordinator floods.
  const own = createInTurn();
  client.on('connected', listed);
  client.on('members', listed);
  client.on('proposal', ({ run, plan, planHash, topologyHash, verdict }) => {
    if (verdict.verdict === 'ask')
      queue.add(() => notePending(folder, { plan: planHash, topology: topologyHash }, run, plan));
  });
  const stops = [
    watchFile(approvalsPath(folder), () =>
      own.add(async () => {
        for (const [plan, decision] of await loadDecisions(folder)) client.decide(plan, decision);
      }),
    ),
    watchFile(membersPath(folder), () => own.add(pin)),
  ];
  return async () => {
    for (const stop of stops) stop();
    await Promise.all([queue.idle(), own.idle()]);
  };
}

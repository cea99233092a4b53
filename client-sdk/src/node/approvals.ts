/**
 * Plans that wait for the owner's word, and what was said: `approvals.json`. The running node writes what is pending,
 * the command line writes decisions, the node notices.
 */
import { join } from 'node:path';
import { Closed, Count, Hash, LIMITS, type Plan, TributaryError } from '@tributary/protocol';
import { type Static, Type } from '@tributary/protocol/typebox';
import type { Approvals, Decision, PlanHashes } from '../policy/index.ts';
import { exclusively, readJson, writeJson } from './files.ts';

const Approval = Closed({
  plan: Hash,
  topology: Hash,
  state: Type.Enum(['pending', 'approved', 'refused']),
  /** The run that first proposed it. */
  run: Type.String({ maxLength: 100 }),
  /** The plan itself, to read before deciding. */
  body: Type.Unknown(),
  /** Milliseconds since 1970. */
  proposedAt: Count,
  decidedAt: Type.Union([Count, Type.Null()]),
});
/** One plan that was proposed to a node whose policy says `plans: ask`. */
export type Approval = Static<typeof Approval>;

const ApprovalsFile = Closed({ plans: Type.Array(Approval) });

/** Plans kept: the oldest refused or pending ones make room, so that proposals cannot fill the disk. */
const KEPT = 50;
/** The same for the bytes of the file. */
const MAX_BYTES = 16 * LIMITS.plan;

export const approvalsPath = (folder: string): string => join(folder, 'approvals.json');

/** All of them, oldest first, decided or not. */
export async function listApprovals(folder: string): Promise<readonly Approval[]> {
  return (await readJson(approvalsPath(folder), ApprovalsFile))?.plans ?? [];
}

/** Those that wait for the owner. */
export async function listPending(folder: string): Promise<readonly Approval[]> {
  return (await listApprovals(folder)).filter(({ state }) => state === 'pending');
}

/** What the owner decided, as the policy's judge wants it. */
export async function loadDecisions(folder: string): Promise<Approvals> {
  const decided = (await listApprovals(folder)).flatMap(({ plan, state }): [string, Decision][] =>
    state === 'pending' ? [] : [[plan, state]],
  );
  return new Map(decided);
}

/** Notes a plan that waits. One that is known already stays as it is. */
export async function notePending(
  folder: string,
  hashes: PlanHashes,
  run: string,
  plan: Plan,
): Promise<void> {
  await change(folder, (plans) => {
    if (plans.some((known) => known.plan === hashes.plan)) return plans;
    const entry: Approval = {
      ...hashes,
      state: 'pending',
      run,
      body: plan,
      proposedAt: Date.now(),
      decidedAt: null,
    };
    return [...withRoom(plans, sizeOf(entry)), entry];
  });
}

const sizeOf = (entry: Approval): number => Buffer.byteLength(JSON.stringify(entry));

function withRoom(plans: readonly Approval[], bytes: number): readonly Approval[] {
  let size = plans.reduce((sum, plan) => sum + sizeOf(plan), bytes);
  let room = plans;
  while (room.length >= KEPT || size > MAX_BYTES) {
    const oldest =
      room.find(({ state }) => state === 'pending') ?? room.find(({ state }) => state === 'refused');
    if (!oldest) break;
    room = room.filter((plan) => plan !== oldest);
    size -= sizeOf(oldest);
  }
  return room;
}

/**
 * The owner agrees to a plan: every run of exactly this plan.
 * @param hash the plan's whole hash: a coordinator could make two plans that begin alike, one to be read, one to be run.
 * @throws not-found
 */
export function approve(folder: string, hash: string): Promise<Approval> {
  return decide(folder, hash, 'approved');
}

/** The owner says no; overrides even a hash that the policy lists. See `approve`. */
export function refuse(folder: string, hash: string): Promise<Approval> {
  return decide(folder, hash, 'refused');
}

async function decide(folder: string, hash: string, state: Decision): Promise<Approval> {
  let decided: Approval | undefined;
  await change(folder, (plans) => {
    const chosen = plans.find(({ plan }) => plan === hash);
    if (!chosen)
      throw new TributaryError('not-found', `No proposed plan has the hash ${hash}.`, {
        remedy: '`tributary node pending` shows the plans that wait; copy the whole hash.',
      });
    decided = { ...chosen, state, decidedAt: Date.now() };
    return plans.map((plan) => (plan === chosen ? decided! : plan));
  });
  return decided!;
}

async function change(
  folder: string,
  next: (plans: readonly Approval[]) => readonly Approval[],
): Promise<void> {
  await exclusively(approvalsPath(folder), async () => {
    const before = await listApprovals(folder);
    const after = next(before);
    if (after !== before) await writeJson(approvalsPath(folder), { plans: after });
  });
}

/** Rows for tests. */
import { createHash, randomBytes } from 'node:crypto';
import { parsePlan } from '@tributary/protocol';
import type { JournalEntry, PartnerRow, RoundRow, RunRow, UpdateRow } from './ports.ts';

export const hash = (text: string) => createHash('sha256').update(text).digest('hex');
export const key = () => randomBytes(32).toString('base64url');

const examplePlan = () => ({
  name: 'digits',
  model: { topology: { class_name: 'Sequential', config: { layers: [] } } },
  features: { kind: 'image', height: 28, width: 28, channels: 1, classes: ['0', '1', '2'] },
  training: { optimizer: { name: 'sgd', learningRate: 0.1 }, loss: 'sparseCategoricalCrossentropy' },
  aggregation: { clip: 10 },
  cohort: { min: 5 },
  rounds: 10,
});

export function runRow(id: string, change: Partial<RunRow> = {}): RunRow {
  return {
    id,
    name: 'digits',
    plan: parsePlan(examplePlan()),
    planHash: hash('plan'),
    status: 'running',
    reason: null,
    round: 0,
    initialModel: hash('model'),
    model: hash('model'),
    weights: hash('weights'),
    transcript: null,
    created: 1_700_000_000_000,
    ...change,
  };
}

export function entry(run: string, seq: number, input: unknown = { kind: 'tick', seq }): JournalEntry {
  return { run, seq, time: 1_700_000_000_000 + seq, machine: 1, input, stateHash: hash(`state ${seq}`) };
}

export function updateRow(run: string, member: string, change: Partial<UpdateRow> = {}): UpdateRow {
  const row = { run, attempt: hash('attempt'), member, sha256: hash(member), bytes: 4096 };
  return { ...row, received: 1_700_000_000_000, ...change };
}

export function roundRow(run: string, round: number): RoundRow {
  const metrics = { weight: 800, trainingLoss: 0.5, clipped: 0, holdout: null };
  return {
    run,
    round,
    record: {
      round,
      attempts: 1,
      participants: ['a', 'b', 'c'],
      dropped: [],
      metrics,
      evaluations: [],
      model: hash(`model ${round}`),
      transcript: hash(`transcript ${round}`),
      started: 1,
      published: 2,
      bytesUp: 3,
      bytesDown: 4,
    },
    transcript: { round, signature: 'x' },
  };
}

export function invited(name: string, secret: string, change: Partial<PartnerRow> = {}): PartnerRow {
  return {
    name,
    role: 'partner',
    status: 'invited',
    key: null,
    inviteHash: hash(secret),
    inviteExpires: 2000,
    created: 1000,
    lastSeen: null,
    instance: null,
    incident: null,
    ...change,
  };
}

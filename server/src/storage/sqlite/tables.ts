/** The tables as Kysely sees them, and rows to and from them. */
import type {
  EvaluationRow,
  JournalEntry,
  PartnerRow,
  RoundRow,
  RunRow,
  Snapshot,
  TokenRow,
  UpdateRow,
  VoidRow,
} from '../ports.ts';

export interface Tables {
  /** `key`: its own, null before the first start that noted it. */
  coordinator: { id: number; epoch: number; key: string | null };
  tokens: TokenRow;
  partners: Omit<PartnerRow, 'inviteHash' | 'inviteExpires' | 'lastSeen' | 'instance' | 'incident'> & {
    instance: string | null;
    incident: string | null;
    invite_hash: string | null;
    invite_expires: number | null;
    last_seen: number | null;
  };
  runs: Omit<RunRow, 'plan' | 'planHash' | 'initialModel'> & {
    plan: string;
    plan_hash: string;
    initial_model: string;
  };
  rounds: { run: string; round: number; record: string; transcript: string };
  evaluations: { run: string; round: number; evaluator: string; report: string };
  updates: UpdateRow;
  voids: VoidRow;
  journal: Omit<JournalEntry, 'input' | 'stateHash'> & { input: string; state_hash: string };
  /** `nth`: of its identity. */
  rotations: { old: string; new: string; nth: number; rotation: string };
  removed_keys: { key: string };
  snapshots: Omit<Snapshot, 'state'> & { state: string };
}

const json = (value: unknown) => JSON.stringify(value ?? null);

export const toTable = {
  partner(row: PartnerRow): Tables['partners'] {
    const { inviteHash, inviteExpires, lastSeen, instance, incident, ...same } = row;
    return {
      ...same,
      invite_hash: inviteHash,
      invite_expires: inviteExpires,
      last_seen: lastSeen,
      instance: instance && json(instance),
      incident: incident && json(incident),
    };
  },
  run({ plan, planHash, initialModel, ...same }: RunRow): Tables['runs'] {
    return { ...same, plan: json(plan), plan_hash: planHash, initial_model: initialModel };
  },
  round: (row: RoundRow): Tables['rounds'] => ({
    ...row,
    record: json(row.record),
    transcript: json(row.transcript),
  }),
  evaluation: ({ run, round, report }: EvaluationRow): Tables['evaluations'] => ({
    run,
    round,
    evaluator: report.evaluator,
    report: json(report),
  }),
  entry({ input, stateHash, ...same }: JournalEntry): Tables['journal'] {
    return { ...same, input: json(input), state_hash: stateHash };
  },
  snapshot: (row: Snapshot): Tables['snapshots'] => ({ ...row, state: json(row.state) }),
};

export const fromTable = {
  partner(row: Tables['partners']): PartnerRow {
    const { invite_hash, invite_expires, last_seen, instance, incident, ...same } = row;
    return {
      ...same,
      inviteHash: invite_hash,
      inviteExpires: invite_expires,
      lastSeen: last_seen,
      instance: instance && JSON.parse(instance),
      incident: incident && JSON.parse(incident),
    };
  },
  run({ plan, plan_hash, initial_model, ...same }: Tables['runs']): RunRow {
    return { ...same, plan: JSON.parse(plan), planHash: plan_hash, initialModel: initial_model };
  },
  round: (row: Tables['rounds']): RoundRow => ({
    ...row,
    record: JSON.parse(row.record),
    transcript: JSON.parse(row.transcript),
  }),
  evaluation: ({ run, round, report }: Tables['evaluations']): EvaluationRow => ({
    run,
    round,
    report: JSON.parse(report),
  }),
  entry({ input, state_hash, ...same }: Tables['journal']): JournalEntry {
    return { ...same, input: JSON.parse(input), stateHash: state_hash };
  },
  snapshot: (row: Tables['snapshots']): Snapshot => ({ ...row, state: JSON.parse(row.state) }),
};

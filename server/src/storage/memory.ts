/** The Store port in memory, for tests: nothing outlives it, everything else is as in the real ones. */
import type { SignedRotation } from '@tributary/protocol';
import {
  type Commit,
  type EvaluationRow,
  type JournalEntry,
  type PartnerRow,
  type RoundRow,
  type RunRow,
  type Snapshot,
  type Store,
  type TokenRow,
  type UpdateRow,
  VOIDS_KEPT,
  type VoidRow,
} from './ports.ts';
import {
  appendEntry,
  type JournalHead,
  judgeRotation,
  refusals,
  replaceSnapshot,
  requireEpoch,
  requireFewRotations,
} from './rules.ts';

interface Tables {
  readonly runs: Map<string, RunRow>;
  readonly rounds: Map<string, RoundRow>;
  readonly evaluations: Map<string, EvaluationRow>;
  readonly updates: Map<string, UpdateRow>;
  readonly voids: Map<string, VoidRow>;
  readonly snapshots: Map<string, Snapshot>;
  journal: JournalEntry[];
}

export function createMemoryStore(epoch = 1): Store {
  let tables: Tables = {
    runs: new Map(),
    rounds: new Map(),
    evaluations: new Map(),
    updates: new Map(),
    voids: new Map(),
    snapshots: new Map(),
    journal: [],
  };
  const tokens = new Map<string, TokenRow>();
  const partners = new Map<string, PartnerRow>();
  /** By the old key. */
  const rotations = new Map<string, SignedRotation & { readonly nth: number }>();
  const removedKeys = new Set<string>();
  let ownKey: string | null = null;
  const rotatedTo = (key: string) => [...rotations.values()].find(({ rotation }) => rotation.new === key);
  const isRetired = (key: string) =>
    rotations.has(key) || rotatedTo(key) !== undefined || removedKeys.has(key);
  const before = (key: string) => rotatedTo(key)?.nth ?? 0;
  const replacedBy = (key: string): SignedRotation | undefined => {
    const found = rotations.get(key);
    return found && copy({ rotation: found.rotation, signatures: found.signatures });
  };
  const addRotation = (signed: SignedRotation) => {
    const { old } = signed.rotation;
    rotations.set(old, { ...copy(signed), nth: before(old) + 1 });
  };
  const byKey = (key: string) => [...partners.values()].find((partner) => partner.key === key);

  return {
    epoch: async () => epoch,
    async commit(commit) {
      requireEpoch(epoch, commit.epoch);
      // All or nothing: work on a copy, which also keeps the caller's later changes out.
      tables = apply(structuredClone(tables), structuredClone(commit));
    },
    runs: async () => copy(sorted([...tables.runs.values()], (row) => row.created)),
    run: async (id) => copy(tables.runs.get(id)),
    rounds: async (run) => copy(sorted(of(tables.rounds, run), (row) => row.round)),
    evaluations: async (run) => copy(sorted(of(tables.evaluations, run), (row) => row.round)),
    updates: async (attempt) => copy([...tables.updates.values()].filter((row) => row.attempt === attempt)),
    voids: async (run) => copy(sorted(of(tables.voids, run), (row) => row.time)),
    async namedBlobs() {
      const runs = [...tables.runs.values()].flatMap(({ initialModel, model }) => [initialModel, model]);
      return new Set([...runs, ...[...tables.rounds.values()].map(({ record }) => record.model)]);
    },
    snapshot: async (run) => copy(tables.snapshots.get(run)),
    journal: async (run) => copy(tables.journal.filter((entry) => entry.run === run)),

    tokens: async () => copy(sorted([...tokens.values()], (row) => row.name)),
    tokenByHash: async (hash) => copy([...tokens.values()].find((token) => token.hash === hash)),
    async addToken(token) {
      if (tokens.has(token.name)) throw refusals.tokenTaken(token.name);
      tokens.set(token.name, { ...token });
    },
    removeToken: async (name) => tokens.delete(name),

    partners: async () => copy(sorted([...partners.values()], (row) => row.name)),
    partnerByKey: async (key) => copy(byKey(key)),
    async invite(partner) {
      const present = partners.get(partner.name);
      if (present && present.status !== 'invited') throw refusals.partnerTaken(partner.name);
      partners.set(partner.name, { ...partner });
    },
    async enrol(inviteHash, key, now) {
      const invited = [...partners.values()].find((partner) => partner.inviteHash === inviteHash);
      if (!invited || now >= (invited.inviteExpires ?? 0)) throw refusals.invite();
      if (byKey(key) || isRetired(key)) throw refusals.keyTaken();
      const partner: PartnerRow = {
        ...invited,
        status: 'active',
        key,
        inviteHash: null,
        inviteExpires: null,
        lastSeen: now,
      };
      partners.set(partner.name, partner);
      return { ...partner };
    },
    async setPartnerStatus(name, status) {
      const partner = partners.get(name);
      if (!partner || partner.status === 'invited') return false;
      partners.set(name, { ...partner, status });
      return true;
    },
    async removePartner(name) {
      const partner = partners.get(name);
      partners.delete(name);
      if (partner?.key) removedKeys.add(partner.key);
      return partner;
    },
    async rotate(signed) {
      const { old, new: next } = signed.rotation;
      const owner = byKey(old);
      const taken = byKey(next) !== undefined || isRetired(next);
      const listed = [...partners.values()].reduce((sum, { key }) => sum + (key ? before(key) : 0), 0);
      const facts = { replaced: replacedBy(old), owner, taken, before: before(old), listed };
      if (!judgeRotation(signed, facts)) {
        addRotation(signed);
        partners.set(owner!.name, { ...owner!, key: next });
      }
      const now = byKey(next);
      if (!now) throw refusals.noLonger();
      return copy(now);
    },
    ownKey: async () => ownKey,
    async noteOwnKey(key) {
      ownKey ??= key;
    },
    async addOwnRotation(signed) {
      const { old, new: next } = signed.rotation;
      const replaced = replacedBy(old);
      if (replaced?.rotation.new === next) return;
      if (replaced || byKey(next) || isRetired(next)) throw refusals.keyTaken();
      requireFewRotations(before(old), 'coordinator');
      addRotation(signed);
      ownKey = next;
    },
    rotations: async () => [...rotations.keys()].map((old) => replacedBy(old)!),
    rotationOf: async (key) => replacedBy(key),
    async touchPartner(key, now) {
      const partner = byKey(key);
      if (partner) partners.set(partner.name, { ...partner, lastSeen: now });
    },
    async notePartner(key, change) {
      const partner = byKey(key);
      if (partner) partners.set(partner.name, { ...partner, ...copy(change) });
    },
    async close() {},
  };
}

function apply(tables: Tables, commit: Commit): Tables {
  for (const run of commit.runs ?? []) tables.runs.set(run.id, run);
  const known = (run: string) => {
    if (!tables.runs.has(run)) throw refusals.unknownRun(run);
  };
  const head = (run: string): JournalHead => {
    const snapshot = tables.snapshots.get(run)?.seq ?? 0;
    return { snapshot, last: tables.journal.findLast((entry) => entry.run === run)?.seq ?? snapshot };
  };
  for (const entry of commit.journal ?? []) {
    known(entry.run);
    appendEntry(head(entry.run), entry);
    tables.journal.push(entry);
  }
  for (const update of commit.updates ?? []) {
    known(update.run);
    const id = `${update.attempt}/${update.member}`;
    const present = tables.updates.get(id);
    if (present && present.sha256 !== update.sha256)
      throw refusals.otherUpdate(update.attempt, update.member);
    if (!present) tables.updates.set(id, update);
  }
  for (const row of commit.rounds ?? []) {
    known(row.run);
    const id = `${row.run}/${row.round}`;
    if (tables.rounds.has(id)) throw refusals.roundTaken(row.run, row.round);
    tables.rounds.set(id, row);
  }
  for (const row of commit.evaluations ?? []) {
    known(row.run);
    tables.evaluations.set(`${row.run}/${row.round}/${row.report.evaluator}`, row);
  }
  for (const row of commit.voids ?? []) {
    known(row.run);
    tables.voids.set(`${row.run}/${row.round}/${row.attempt}`, row);
    const [oldest] = sorted(of(tables.voids, row.run), ({ time }) => time).slice(0, -VOIDS_KEPT);
    if (oldest) tables.voids.delete(`${oldest.run}/${oldest.round}/${oldest.attempt}`);
  }
  for (const snapshot of commit.snapshots ?? []) {
    known(snapshot.run);
    replaceSnapshot(head(snapshot.run), snapshot);
    tables.snapshots.set(snapshot.run, snapshot);
    const now = new Set(commit.updates?.map(({ attempt }) => attempt));
    for (const [id, { run, attempt }] of tables.updates)
      if (run === snapshot.run && !now.has(attempt)) tables.updates.delete(id);
    tables.journal = tables.journal.filter((entry) => entry.run !== snapshot.run || entry.seq > snapshot.seq);
  }
  return tables;
}

function of<T extends { readonly run: string }>(table: Map<string, T>, run: string): T[] {
  return [...table.values()].filter((row) => row.run === run);
}

function sorted<T>(rows: T[], by: (row: T) => number | string): T[] {
  return rows.sort((a, b) => (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0));
}

function copy<T>(value: T): T {
  return structuredClone(value);
}

/** What must be true whatever goes wrong, watched from outside: what is said, what is on disk, what is published. */
import type { LedgerRecord, SessionEvent } from '@tributary/client-sdk';
import {
  type Announcement,
  type ClientMessage,
  canonicalJson,
  hashStatement,
  type ServerMessage,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Commit, RoundInput, RunState } from '@tributary/server/parts';
import type { Disk } from '../disk/disk.ts';
import type { Setting } from '../setting.ts';
import type { KnownAttempt } from './known-attempt.ts';
import {
  epochOf,
  forbiddenOf,
  lackOfCertificate,
  noteWithdrawals,
  rolledBackTo,
  wrongEvaluations,
} from './rules.ts';
import { type Masked, verifyRound } from './verify-round.ts';

export interface Violation {
  readonly invariant: string;
  readonly detail: string;
}

export interface Oracle {
  readonly violations: readonly Violation[];
  readonly attempts: ReadonlyMap<string, KnownAttempt>;
  violation(invariant: string, detail: string): void;
  committed(commit: Commit): void;
  recovered(states: readonly RunState[]): void;
  acknowledged(attempt: string, member: string, sha256: string): void;
  /** The coordinator sends. */
  said(message: ServerMessage): void;
  /** A node sends. `records` are those on its disk. */
  emitted(node: number, message: ClientMessage, records: readonly LedgerRecord[]): void;
  /** A node would have sent it, and had no session. */
  unsent(node: number, message: ClientMessage): void;
  /** The first byte is about to leave. */
  uploading(node: number, attempt: string, sha256: string, records: readonly LedgerRecord[]): void;
  masked(sha256: string, bare: Uint32Array, members: number): void;
  event(node: number, event: SessionEvent): void;
  restarted(node: number): void;
  /** Last restart of a node, 0 if there was none. */
  lastRestart(node: number): number;
  /** An operator was told that the run is paused; asks for its going on; was told that it is cancelled. */
  paused(): void;
  resuming(): void;
  cancelled(): void;
  /** The coordinator has another disk from now on: what people were told before is void. */
  replaced(): void;
  /** An update came in more than one piece; a node kept away from a coordinator of a lower epoch. */
  resumed(): void;
  staleWelcome(): void;
  readonly counts: { resumed: number; staleWelcomes: number; replaced: number };
}

export function createOracle(setting: Setting, disk: Disk, now: () => number): Oracle {
  const violations: Violation[] = [];
  const attempts = new Map<string, KnownAttempt>();
  const byNumber = new Map<string, string>();
  const masked = new Map<string, Masked>();
  const restarts = new Map<number, number>();
  const counted = new Set<string>();
  /** By epoch. */
  const newest = new Map<number, { round: number; attempt: number }>();
  const told = { paused: false, cancelled: false };
  const counts = { resumed: 0, staleWelcomes: 0, replaced: 0 };

  const violation = (invariant: string, detail: string): void => {
    violations.push({ invariant, detail });
  };
  const known = (id: string): KnownAttempt | undefined => attempts.get(id);

  function announced(announcement: Announcement): void {
    const id = hashStatement(nodeCrypto, 'announcement', announcement);
    const { run, round, attempt, epoch } = announcement;
    const number = `${run}/${round}/${attempt} of epoch ${epoch}`;
    const before = byNumber.get(number);
    if (before === id) return;
    if (before) violation('attempt numbers', `attempt ${number} is announced in two ways`);
    const last = newest.get(epoch) ?? { round: 0, attempt: 0 };
    if (round < last.round || (round === last.round && attempt <= last.attempt))
      violation('attempt numbers', `${number} comes after ${last.round}/${last.attempt}`);
    newest.set(epoch, { round, attempt });
    byNumber.set(number, id);
    attempts.set(id, {
      ...{ id, announcement, announced: now() },
      ...{ lists: new Map(), vectors: new Map(), shares: new Map() },
      ...{ acknowledged: new Set(), withdrawn: new Set(), maybeWithdrawn: new Set() },
      ...{ dealt: new Set(), revealed: new Set(), abandoned: new Set() },
    });
  }

  function listed(id: string, kind: 'roster' | 'cohort' | 'survivors', list: unknown): void {
    const text = canonicalJson(list);
    const attempt = known(id);
    if (!attempt) {
      violation('lists', `${kind} of ${id}, which was never announced`);
      return;
    }
    if (attempt.announcement.epoch !== disk.epoch)
      violation(
        'epoch',
        `${kind} of an attempt of epoch ${attempt.announcement.epoch}, in epoch ${disk.epoch}`,
      );
    const before = attempt.lists.get(kind);
    if (before !== undefined && before !== text) violation('one list', `a second ${kind} of attempt ${id}`);
    attempt.lists.set(kind, text);
  }

  function rolledBack(node: number, { announcement }: KnownAttempt, records: readonly LedgerRecord[]): void {
    const what = rolledBackTo(announcement, records);
    if (what) violation('rolled back', `node ${node} ${what}`);
  }

  return {
    violations,
    attempts,
    violation,
    lastRestart: (node) => restarts.get(node) ?? 0,
    counts,
    paused: () => void Object.assign(told, { paused: true }),
    resuming: () => void Object.assign(told, { paused: false }),
    cancelled: () => void Object.assign(told, { cancelled: true }),
    replaced() {
      counts.replaced++;
      Object.assign(told, { paused: false, cancelled: false });
    },
    resumed: () => void counts.resumed++,
    staleWelcome: () => void counts.staleWelcomes++,
    committed(commit) {
      const inputs = (commit.journal ?? []).map(({ input }) => input as RoundInput);
      for (const what of forbiddenOf(told, inputs, commit)) violation('people', what);
      // Another disk knows nothing of the attempts of this one.
      const here = [...attempts.values()].filter(({ announcement }) => announcement.epoch === disk.epoch);
      noteWithdrawals(here, inputs);
      for (const what of wrongEvaluations(setting, disk, commit)) violation('evaluation', what);
      for (const row of commit.rounds ?? []) {
        const faults = verifyRound({ setting, disk, row, attempts, masked, counted });
        for (const fault of faults) violation('published', `round ${row.round}: ${fault}`);
      }
    },
    recovered(states) {
      const [state] = states;
      if (!state) return;
      const last = disk.rounds.at(-1);
      const { round, transcript, model } = state.head;
      if (
        round !== disk.rounds.length ||
        (last && (last.record.model !== model || last.record.transcript !== transcript))
      )
        violation(
          'history',
          `recovered at round ${round} with ${model}, ${disk.rounds.length} are published`,
        );
    },
    acknowledged(id, member, sha256) {
      const attempt = known(id);
      const row = disk.updates.find((update) => update.attempt === id && update.member === member);
      const over = disk.voids.some(({ round, attempt: number }) => {
        const { announcement } = attempt!;
        return round === announcement.round && number === announcement.attempt;
      });
      const published = disk.rounds.some(({ round }) => round === attempt?.announcement.round);
      if (row?.sha256 !== sha256 && !over && !published)
        violation('acknowledged', `the update of ${member} has no row`);
      if (!disk.spool.has(`${id}/${member}`) && !over && !published)
        violation('acknowledged', `the update of ${member} is not on disk`);
      attempt?.acknowledged.add(member);
    },
    said(message) {
      switch (message.type) {
        case 'announce':
          announced(message.announcement);
          return;
        case 'roster':
          listed(message.attempt, 'roster', message.roster);
          return;
        case 'cohort':
          listed(message.attempt, 'cohort', message.cohort);
          return;
        case 'survivors':
          listed(message.attempt, 'survivors', message.survivors);
          return;
        case 'published': {
          const row = disk.rounds[message.round - 1];
          if (row?.record.model !== message.model || row.record.transcript !== message.transcript)
            violation('history', `round ${message.round} is told and not on disk`);
          return;
        }
        case 'abandoned':
        case 'refused':
          if (message.code === 'internal') violation('internal', `${message.type}: ${message.reason}`);
          return;
      }
    },
    emitted(node, message, records) {
      const isPartner = node < setting.nodes.length;
      if (
        isPartner === (message.type === 'evaluation') &&
        message.type !== 'instance' &&
        message.type !== 'engine'
      )
        violation('roles', `node ${node}, ${isPartner ? 'a partner' : 'an evaluator'}, says ${message.type}`);
      if (!('attempt' in message)) return;
      const attempt = known(message.attempt);
      if (!attempt) {
        violation('lists', `${message.type} of an attempt that was never announced`);
        return;
      }
      const fault = (invariant: string, what: string) =>
        violation(
          invariant,
          `node ${node}, ${attempt.announcement.round}/${attempt.announcement.attempt}: ${what}`,
        );
      switch (message.type) {
        case 'advert':
          if (!records.some((record) => record.type === 'announced' && record.id === attempt.id))
            fault('ledger', 'answers an announcement that its ledger does not hold');
          if (attempt.announcement.epoch < epochOf(records)) fault('epoch', 'goes back to a lower one');
          rolledBack(node, attempt, records);
          return;
        case 'shares':
          attempt.dealt.add(node);
          return;
        case 'leave':
          if (message.code === 'internal') fault('internal', message.reason);
          return;
        case 'abandon':
          attempt.abandoned.add(node);
          if (attempt.revealed.has(node)) fault('abandoned', 'abandons what it has revealed shares of');
          return;
        case 'unmask': {
          attempt.revealed.add(node);
          if (attempt.abandoned.has(node)) fault('abandoned', 'reveals shares of what it has abandoned');
          const { seeds, maskKeys } = message.shares;
          const given = [
            ...seeds.map(({ of }) => [of, 'seed'] as const),
            ...maskKeys.map(({ of }) => [of, 'mask key'] as const),
          ];
          for (const [of, kind] of given) {
            const before = attempt.shares.get(`${node}/${of}`);
            if (before && before !== kind) fault('both shares', `reveals ${before} and ${kind} of ${of}`);
            attempt.shares.set(`${node}/${of}`, kind);
          }
        }
      }
    },
    unsent(node, message) {
      // It does not know, and may not abandon any more.
      if (message.type === 'unmask') known(message.attempt)?.revealed.add(node);
    },
    uploading(node, id, sha256, records) {
      const member = setting.nodes[node]!.id;
      const attempt = known(id);
      if (!attempt) {
        violation('lists', 'a vector for an attempt that was never announced');
        return;
      }
      const before = attempt.vectors.get(member);
      if (attempt.announcement.epoch < epochOf(records))
        violation('epoch', `node ${node} goes back to a lower one`);
      if (before && before !== sha256) violation('one vector', `node ${node}: two vectors in attempt ${id}`);
      attempt.vectors.set(member, sha256);
      if (!records.some((r) => r.type === 'vector-sent' && r.id === id && r.sha256 === sha256))
        violation('ledger', `node ${node}: a vector leaves that its ledger does not hold`);
      for (const other of attempts.values()) {
        if (other === attempt || !other.vectors.has(member)) continue;
        if (other.announcement.weights !== attempt.announcement.weights) continue;
        const lack = lackOfCertificate(setting, other, records);
        if (lack) violation('one vector', `node ${node}: a second vector on the same weights, ${lack}`);
      }
    },
    masked(sha256, bare, members) {
      masked.set(sha256, { bare, members });
    },
    event(node, event) {
      if ('code' in event && event.code === 'internal')
        violation('internal', `node ${node}: ${JSON.stringify(event)}`);
    },
    restarted(node) {
      restarts.set(node, now());
    },
  };
}

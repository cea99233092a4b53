/** What goes wrong in one simulation: a list that follows from the seed, and of which any part can be left out. */
import type { Dice } from '../dice.ts';

export const COORDINATOR_PORTS = [
  'store.commit',
  'store.epoch',
  'store.runs',
  'store.snapshot',
  'store.journal',
  'store.partnerByKey',
  'store.touchPartner',
  'store.notePartner',
  'store.setPartnerStatus',
  'blobs.put',
  'blobs.read',
  'spool.sync',
  'spool.publish',
  'spool.holds',
  'spool.remove',
  'spool.list',
  'aggregation.fold',
  'aggregation.sum',
  'aggregation.discard',
  'session.send',
  'clock.timer',
  'clock.tick',
] as const;

export const NODE_PORTS = [
  'ledger.load',
  'ledger.append',
  'session.send',
  'bulk.download',
  'bulk.upload',
  'trainer.train',
  'trainer.evaluate',
  'masker.mask',
] as const;

export type Port = (typeof COORDINATOR_PORTS)[number] | (typeof NODE_PORTS)[number];

/** Index of a process that is no node. */
export const COORDINATOR = -1;

/** `torn`: in the middle of it, so that what was written is there in part, or not at all. */
const MOMENTS = ['before', 'torn', 'after'] as const;
export type Moment = (typeof MOMENTS)[number];

/** Where half of it can be done; elsewhere it is done or not. */
export const TEARABLE: readonly Port[] = [
  'store.commit',
  'blobs.put',
  'spool.sync',
  'spool.publish',
  'spool.remove',
  'ledger.append',
  'bulk.upload',
];

const FRAME_FAULTS = ['drop', 'duplicate', 'reorder', 'delay', 'half-open', 'cut'] as const;
const TRANSFER_FAULTS = ['lost-request', 'lost-answer', 'broken-off', 'broken-off', 'delay'] as const;
const REFUSABLE = ['store.commit', 'blobs.put', 'spool.sync', 'ledger.append'] as const;
/** After such a call of the coordinator's, people do what they do: each moves a round on. */
const MILESTONES = [
  'store.commit',
  'aggregation.fold',
  'aggregation.sum',
  'blobs.put',
  'spool.publish',
] as const;

/** An instant: right after the `nth` call that the coordinator has done. */
export interface Instant {
  readonly port: (typeof MILESTONES)[number];
  readonly nth: number;
}

export type Fault =
  /** kill -9 at the `nth` call of a port, counted over all lives of the process. */
  | { kind: 'crash'; who: number; port: Port; moment: Moment; nth: number; down: number }
  /** The disk is full, for one call. */
  | { kind: 'refuse'; who: number; port: (typeof REFUSABLE)[number]; nth: number }
  | {
      kind: 'frame';
      node: number;
      way: 'up' | 'down';
      what: (typeof FRAME_FAULTS)[number];
      nth: number;
      ms: number;
    }
  | {
      kind: 'transfer';
      node: number;
      port: 'bulk.download' | 'bulk.upload';
      what: (typeof TRANSFER_FAULTS)[number];
      nth: number;
      ms: number;
    }
  /** kill -9 at an instant. */
  | { kind: 'kill'; who: number; at: number; down: number }
  | People;

/** What people do at any instant, however much is broken meanwhile; `ms` later they take it back, where that can be. */
export type People =
  | { kind: 'pause'; when: Instant; ms: number }
  | { kind: 'cancel'; when: Instant }
  | { kind: 'suspend'; node: number; when: Instant; ms: number }
  /** A node's owner rejects the plan that it had approved. */
  | { kind: 'reject'; node: number; when: Instant; ms: number }
  /** A node's owner stops it. */
  | { kind: 'stop'; node: number; when: Instant; ms: number }
  /** A backup of `taken` takes the coordinator's place, in a higher epoch. */
  | { kind: 'restore'; taken: Instant; when: Instant; ms: number }
  /** What was there before the last restore is started by mistake, in its lower epoch; `lies`: its welcome hides that. */
  | { kind: 'old-copy'; when: Instant; ms: number; lies: boolean };

/** How often a port is called in a quiet run, roughly: where the n-th call is chosen from. */
const CALLS: Partial<Record<Port, number>> = {
  'store.commit': 60,
  'session.send': 60,
  'clock.timer': 6,
  'clock.tick': 80,
  'ledger.append': 6,
  'spool.sync': 12,
  'spool.publish': 12,
  'aggregation.fold': 12,
  'spool.holds': 5,
  'blobs.read': 12,
  'store.partnerByKey': 12,
  'store.touchPartner': 8,
  'store.notePartner': 8,
  'store.setPartnerStatus': 0.7,
  'trainer.evaluate': 0.7,
};

/** @param nodes evaluators among them, behind the `partners` */
export function drawFaults(dice: Dice, nodes: number, partners: number, within: number): Fault[] {
  const node = (): number => dice.below(nodes);
  const who = (): number => (dice.chance(0.55) ? COORDINATOR : node());
  const nth = (scale: number): number => 1 + Math.floor(-Math.log(1 - dice.next()) * scale);
  const down = (): number =>
    Math.round(dice.chance(0.8) ? dice.between(100, 4000) : dice.between(4000, 20_000));
  const draw = (): Fault => {
    const roll = dice.next();
    if (roll < 0.5) {
      const dying = who();
      const port = dice.pick<Port>(dying === COORDINATOR ? COORDINATOR_PORTS : NODE_PORTS);
      const moment = dice.pick(TEARABLE.includes(port) ? MOMENTS : (['before', 'after'] as const));
      return { kind: 'crash', who: dying, port, moment, nth: nth(CALLS[port] ?? 2), down: down() };
    }
    if (roll < 0.58) {
      const port = dice.pick(REFUSABLE);
      return {
        kind: 'refuse',
        who: port === 'ledger.append' ? node() : COORDINATOR,
        port,
        nth: nth(CALLS[port] ?? 2),
      };
    }
    if (roll < 0.82) {
      const what = dice.pick(FRAME_FAULTS);
      const way = dice.pick(['up', 'down'] as const);
      return { kind: 'frame', node: node(), way, what, nth: nth(14), ms: Math.round(dice.between(20, 8000)) };
    }
    if (roll < 0.94) {
      const port = dice.pick(['bulk.download', 'bulk.upload'] as const);
      const what = dice.pick(TRANSFER_FAULTS);
      return {
        kind: 'transfer',
        node: node(),
        port,
        what,
        nth: nth(2),
        ms: Math.round(dice.between(100, 8000)),
      };
    }
    return { kind: 'kill', who: who(), at: Math.round(dice.between(0, within)), down: down() };
  };
  const faults = Array.from({ length: dice.below(21) }, draw);
  return dice.chance(0.6) ? [...faults, ...drawPeople(dice, nodes, partners)] : faults;
}

function drawPeople(dice: Dice, nodes: number, partners: number): People[] {
  const instant = (): Instant => {
    const port = dice.pick(MILESTONES);
    return { port, nth: 1 + dice.below(port === 'store.commit' ? 50 : 10) };
  };
  const ms = (): number => Math.round(dice.between(50, 8000));
  const draw = (): People[] => {
    const roll = dice.next();
    if (roll < 0.25) return [{ kind: 'pause', when: instant(), ms: ms() }];
    if (roll < 0.3) return [{ kind: 'cancel', when: instant() }];
    if (roll < 0.55) return [{ kind: 'suspend', node: dice.below(nodes), when: instant(), ms: ms() }];
    if (roll < 0.63) return [{ kind: 'reject', node: dice.below(partners), when: instant(), ms: ms() }];
    if (roll < 0.75) return [{ kind: 'stop', node: dice.below(partners), when: instant(), ms: ms() }];
    const taken: Instant = { port: 'store.commit', nth: 2 + dice.below(40) };
    // Half of them lose little or nothing.
    const later = dice.chance(0.5) ? dice.below(4) : dice.below(40);
    const when: Instant = { port: 'store.commit', nth: taken.nth + later };
    const restore: People = { kind: 'restore', taken, when, ms: Math.round(dice.between(2000, 6000)) };
    if (dice.chance(0.6)) return [restore];
    const again: Instant = { port: 'store.commit', nth: when.nth + 2 + dice.below(20) };
    return [restore, { kind: 'old-copy', when: again, ms: ms(), lies: dice.chance(0.5) }];
  };
  return Array.from({ length: 1 + dice.below(3) }, draw).flat();
}

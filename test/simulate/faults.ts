/** What goes wrong in one simulation: a list that follows from the seed, and of which any part can be left out. */
import type { Dice } from './dice.ts';

export const COORDINATOR_PORTS = [
  'store.commit',
  'store.epoch',
  'store.runs',
  'store.snapshot',
  'store.journal',
  'store.partnerByKey',
  'store.touchPartner',
  'store.notePartner',
  'blobs.put',
  'blobs.read',
  'spool.receive',
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
  'spool.receive',
  'spool.remove',
  'ledger.append',
  'bulk.upload',
];

const FRAME_FAULTS = ['drop', 'duplicate', 'reorder', 'delay', 'half-open', 'cut'] as const;
const TRANSFER_FAULTS = ['lost-request', 'lost-answer', 'delay'] as const;
const REFUSABLE = ['store.commit', 'blobs.put', 'spool.receive', 'ledger.append'] as const;

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
  | { kind: 'kill'; who: number; at: number; down: number };

/** How often a port is called in a quiet run, roughly: where the n-th call is chosen from. */
const CALLS: Partial<Record<Port, number>> = {
  'store.commit': 60,
  'session.send': 60,
  'clock.timer': 30,
  'clock.tick': 80,
  'ledger.append': 6,
  'spool.receive': 12,
  'aggregation.fold': 12,
  'spool.holds': 5,
  'blobs.read': 12,
  'store.partnerByKey': 12,
  'store.touchPartner': 8,
  'store.notePartner': 8,
};

export function drawFaults(dice: Dice, nodes: number, within: number): Fault[] {
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
  return Array.from({ length: dice.below(21) }, draw);
}

export interface Faults {
  /** The fault that this call of the port meets, if any. */
  at(who: number, port: Port): Extract<Fault, { kind: 'crash' | 'refuse' }> | undefined;
  frame(node: number, way: 'up' | 'down'): Extract<Fault, { kind: 'frame' }> | undefined;
  transfer(
    node: number,
    port: 'bulk.download' | 'bulk.upload',
  ): Extract<Fault, { kind: 'transfer' }> | undefined;
}

/** @param active while faults may happen: they stop, so that the run can show that it recovers. */
export function createFaults(
  list: readonly Fault[],
  active: () => boolean,
  met: (fault: Fault) => void,
): Faults {
  const calls = new Map<string, number>();
  const byName = new Map<string, Fault[]>();
  for (const fault of list) {
    if (fault.kind === 'kill') continue;
    const name = nameOf(fault);
    byName.set(name, [...(byName.get(name) ?? []), fault]);
  }
  function take(name: string): Fault | undefined {
    const count = (calls.get(name) ?? 0) + 1;
    calls.set(name, count);
    const fault = byName.get(name)?.find((one) => 'nth' in one && one.nth === count);
    if (!fault || !active()) return undefined;
    met(fault);
    return fault;
  }
  return {
    at: (who, port) => take(`${who} ${port}`) as Extract<Fault, { kind: 'crash' | 'refuse' }> | undefined,
    frame: (node, way) => take(`${node} ${way}`) as Extract<Fault, { kind: 'frame' }> | undefined,
    transfer: (node, port) =>
      take(`transfer ${node} ${port}`) as Extract<Fault, { kind: 'transfer' }> | undefined,
  };
}

function nameOf(fault: Exclude<Fault, { kind: 'kill' }>): string {
  if (fault.kind === 'frame') return `${fault.node} ${fault.way}`;
  if (fault.kind === 'transfer') return `transfer ${fault.node} ${fault.port}`;
  return `${fault.who} ${fault.port}`;
}

export function describeFault(fault: Fault): string {
  const name = (who: number) => (who === COORDINATOR ? 'coordinator' : `node ${who}`);
  switch (fault.kind) {
    case 'crash':
      return `${name(fault.who)} dies ${fault.moment} call ${fault.nth} of ${fault.port}, for ${fault.down} ms`;
    case 'refuse':
      return `${name(fault.who)}: call ${fault.nth} of ${fault.port} meets a full disk`;
    case 'frame':
      return `node ${fault.node}: frame ${fault.nth} ${fault.way} is met by ${fault.what} (${fault.ms} ms)`;
    case 'transfer':
      return `node ${fault.node}: ${fault.port} ${fault.nth} is met by ${fault.what} (${fault.ms} ms)`;
    case 'kill':
      return `${name(fault.who)} dies after ${fault.at} ms, for ${fault.down} ms`;
  }
}

/**
 * Drives the session machine: one input at a time -> step -> its effects, in order. A ledger record is durable before
 * the next effect begins, so nothing leaves this machine that the ledger does not know of.
 */
import { asTributaryError, type ClientMessage } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import {
  type Effect,
  type LedgerStore,
  type SessionContext,
  type SessionEvent,
  type SessionInput,
  type SessionState,
  step,
} from '../session/index.ts';
import type { Jobs } from './jobs.ts';

export interface LoopDeps {
  readonly context: SessionContext;
  readonly ledger: LedgerStore;
  readonly now: () => number;
  readonly send: (message: ClientMessage) => void;
  readonly emit: (event: SessionEvent) => void;
}

export interface Loop {
  submit(input: SessionInput): void;
  /** Highest epoch that the ledger knows. */
  epoch(): number;
  /** Inputs that wait. */
  waiting(): number;
  /** Resolves when no input waits and no effect is under way. */
  idle(): Promise<void>;
}

export function createLoop(initial: SessionState, deps: LoopDeps, jobs: () => Jobs): Loop {
  let state = initial;
  const queue: SessionInput[] = [];
  let turning: Promise<void> | null = null;

  async function turn(): Promise<void> {
    for (let input = queue.shift(); input; input = queue.shift()) {
      const next = step(state, input, deps.now(), deps.context);
      state = next.state;
      await perform(next.effects);
    }
    // Without a pause after the last look at the queue: nothing can slip in between.
    turning = null;
  }

  async function perform(effects: readonly Effect[]): Promise<void> {
    for (const effect of effects) {
      try {
        if (effect.type === 'append') await deps.ledger.append(effect.record);
        else carryOut(effect);
      } catch (thrown) {
        const error = asTributaryError(thrown);
        deps.emit({ type: 'warning', code: error.code, message: `${effect.type}: ${error.message}` });
        if (effect.type !== 'append') continue;
        // What was to follow must not happen: the attempt is left.
        queue.unshift({ type: 'failed', attempt: effect.of ?? effect.record.id, error });
        return;
      }
    }
  }

  function carryOut(effect: Exclude<Effect, { type: 'append' }>): unknown {
    switch (effect.type) {
      case 'send':
        crashAround(effect.message, 'sending');
        deps.send(effect.message);
        return crashAround(effect.message, 'sent');
      case 'emit':
        return deps.emit(effect.event);
      case 'train':
        return jobs().train(effect);
      case 'mask':
        return jobs().mask(effect);
      case 'upload':
        return jobs().upload(effect);
      case 'evaluate':
        return jobs().evaluate(effect);
      case 'forget':
        return jobs().forget(effect.attempt);
      default:
        return effect satisfies never;
    }
  }

  return {
    submit(input) {
      queue.push(input);
      turning ??= Promise.resolve().then(turn);
    },
    epoch: () => state.ledger.epoch,
    waiting: () => queue.length,
    async idle() {
      while (turning) await turning;
    },
  };
}

/** Where tests let the node die around what it says. */
function crashAround({ type }: ClientMessage, moment: 'sending' | 'sent'): void {
  if (type !== 'progress') crashPoint(`node.${type}.${moment}`);
}

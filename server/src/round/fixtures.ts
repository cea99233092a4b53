/** Test support: partners that run the client's real secure-aggregation machine against a run's machine. */
import {
  identityFromSeed,
  type Plan,
  parsePlan,
  planHash,
  type ServerMessage,
  toHex,
  utf8,
} from '@tributary/protocol';
import { seededRandom } from '@tributary/protocol/crypto';
import { nodeCrypto } from '@tributary/protocol/node';
import * as secagg from '@tributary/protocol/secagg';
import type { Effect, RoundContext, RoundInput } from './io.ts';
import { step } from './machine.ts';
import { createRun, type RunState } from './state.ts';

const hash = (text: string): string => toHex(nodeCrypto.sha256(utf8(text)));
const random = seededRandom(nodeCrypto, new Uint8Array(32).fill(7));

export const context: RoundContext = {
  crypto: nodeCrypto,
  identity: identityFromSeed(nodeCrypto, random(32)),
};

export function testPlan(
  changes: Partial<Record<'cohort' | 'aggregation' | 'earlyStop' | 'rounds', unknown>> = {},
): Plan {
  return parsePlan({
    name: 'test',
    model: { topology: { class_name: 'Sequential', config: {} } },
    features: { kind: 'image', height: 2, width: 2, channels: 1, classes: ['a', 'b'] },
    training: {
      optimizer: { name: 'sgd', learningRate: 0.1 },
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
    },
    aggregation: { clip: 10 },
    cohort: { min: 3 },
    rounds: 3,
    ...changes,
  });
}

export interface Partner {
  readonly id: string;
  readonly name: string;
  /** Answers of the real client to what it is sent. */
  answer(message: ServerMessage): RoundInput[];
}

function createPartner(index: number, pinned: Set<string>): Partner {
  const identity = identityFromSeed(nodeCrypto, random(32));
  pinned.add(identity.id);
  const client: secagg.ClientContext = {
    crypto: nodeCrypto,
    identity,
    floors: { minRoster: 3, minSum: 3, collusion: 1 },
    pinned,
    allowPlain: true,
  };
  const member = identity.id;
  let state: secagg.ClientAttempt | null = null;
  const take = <T extends object>(answer: secagg.Step<T>): T => {
    state = answer.state;
    if (answer.kind !== 'answered') throw new Error(`${index}: ${JSON.stringify(answer)}`);
    return answer;
  };
  function answer(message: ServerMessage): RoundInput[] {
    if (message.type === 'announce') {
      state = secagg.openAttempt(client, message.announcement, message.signature, context.identity.id);
      const { advert } = take(secagg.advertise(state, client, random));
      return [{ type: 'advert', member, message: { type: 'advert', attempt: state.attempt, advert } }];
    }
    if (!state) return [];
    const { attempt } = state;
    switch (message.type) {
      case 'roster': {
        const { deals } = take(
          secagg.receiveRoster(state, client, message.roster, message.signature, random),
        );
        return [{ type: 'shares', member, message: { type: 'shares', attempt, deals: [...deals] } }];
      }
      case 'cohort': {
        take(secagg.receiveCohort(state, client, message.cohort, message.signature, message.deals));
        const sha256 = hash(`update of ${member} in ${attempt}`);
        take(secagg.vectorMasked(state, sha256));
        return [{ type: 'update', member, attempt, sha256, bytes: 100 }];
      }
      case 'survivors': {
        const { signature } = take(
          secagg.receiveSurvivors(state, client, message.survivors, message.signature),
        );
        return signature ? [{ type: 'agree', member, message: { type: 'agree', attempt, signature } }] : [];
      }
      case 'agreed': {
        const { shares } = take(secagg.receiveAgreement(state, client, message.signatures));
        return [{ type: 'unmask', member, message: { type: 'unmask', attempt, shares } }];
      }
      case 'abandoned': {
        const abandonment = message.attempt === attempt ? secagg.abandonmentOf(state) : null;
        if (!abandonment) return [];
        const signature = secagg.signAbandonment(nodeCrypto, identity, abandonment);
        return [{ type: 'abandon', member, message: { type: 'abandon', attempt, signature } }];
      }
      default:
        return [];
    }
  }
  return { id: member, name: `partner-${index}`, answer };
}

export interface World {
  state: RunState;
  readonly partners: readonly Partner[];
  readonly journal: { input: RoundInput; now: number }[];
  readonly effects: Effect[];
  /** Inputs that partners have sent and the coordinator has not taken yet. */
  inbox: RoundInput[];
  take(input: RoundInput): readonly Effect[];
  /** Takes what is in the inbox until it is empty; `lost` inputs never arrive. */
  settle(lost?: (input: RoundInput) => boolean): void;
  open(partners?: readonly Partner[]): void;
  sum(): void;
}

export function createWorld(members: number, plan = testPlan()): World {
  const pinned = new Set<string>();
  const partners = Array.from({ length: members }, (_, index) => createPartner(index, pinned));
  let now = 1000;
  const world: World = {
    state: createRun({
      id: 'run-1',
      plan,
      planHash: planHash(nodeCrypto, plan),
      parameters: 10,
      model: hash('model 0'),
      weights: hash('weights 0'),
    }),
    partners,
    journal: [],
    effects: [],
    inbox: [],
    take(input) {
      now += 10;
      const next = step(world.state, input, now, context);
      if (next.state !== world.state) world.journal.push({ input, now });
      world.state = next.state;
      world.effects.push(...next.effects);
      for (const effect of next.effects)
        if (effect.type === 'send')
          for (const to of effect.to)
            world.inbox.push(
              ...(partners.find((partner) => partner.id === to)?.answer(effect.message) ?? []),
            );
      return next.effects;
    },
    settle(lost = () => false) {
      for (let input = world.inbox.shift(); input; input = world.inbox.shift())
        if (!lost(input)) world.take(input);
    },
    open(invited = partners) {
      world.take({
        type: 'open',
        nonce: 'AAAAAAAAAAAAAAAAAAAAAA',
        epoch: 1,
        invited: invited.map(({ id, name }) => ({ member: id, name })),
      });
    },
    sum() {
      const { stage, head } = world.state;
      if (stage.kind !== 'summing') throw new Error(`stage ${stage.kind}`);
      const result = {
        sum: hash(`sum ${head.round}`),
        model: hash(`model ${head.round + 1}`),
        weights: hash(`weights ${head.round + 1}`),
        scalars: [100, 50, 1, 10, 5, 8],
        norm: 1,
      };
      world.take({ type: 'summed', attempt: stage.open.secagg.attempt, result, bytesDown: 7 });
    },
  };
  return world;
}

/** What a member sends in each phase, in order. */
export const ANSWERS = ['advert', 'shares', 'update', 'agree', 'unmask'] as const;

/** Whole attempts between session machines and the coordinator's real secure-aggregation machine, for tests. */
import {
  type Announcement,
  type ClientMessage,
  type ClientMessageOf,
  type Identity,
  identityFromSeed,
  type Plan,
  parsePlan,
  type ServerMessage,
  type ServerMessageOf,
  scalarNames,
  toBase64,
  toHex,
  utf8,
} from '@tributary/protocol';
import { seededRandom } from '@tributary/protocol/crypto';
import { nodeCrypto } from '@tributary/protocol/node';
import * as secagg from '@tributary/protocol/secagg';
import { hashesOf, parsePolicy } from '../policy/index.ts';
import type { Effect, SessionContext, SessionEvent, SessionInput } from './io.ts';
import { EMPTY_LEDGER, type LedgerView } from './ledger.ts';
import { step } from './machine.ts';
import { createSession, type SessionState } from './state.ts';

export const RUN = 'run-1';
export const NOW = 1_700_000_000_000;
export const hash = (text: string): string => toHex(nodeCrypto.sha256(utf8(text)));
export const coordinator = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(200));

export const testPlan = (changes: object = {}): Plan =>
  parsePlan({
    name: 'digits',
    model: { topology: { class_name: 'Sequential', config: { layers: [] } } },
    features: { kind: 'image', height: 2, width: 2, channels: 1, classes: ['a', 'b'] },
    training: {
      optimizer: { name: 'sgd', learningRate: 0.1 },
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
    },
    aggregation: { clip: 10, weightCap: 1000 },
    cohort: { min: 5 },
    rounds: 10,
    ...changes,
  });

export const plan = testPlan();
export const hashes = hashesOf(nodeCrypto, plan);

export function partnerIdentities(n: number): Identity[] {
  return Array.from({ length: n }, (_, i) =>
    identityFromSeed(nodeCrypto, nodeCrypto.sha256(utf8(`partner ${i}`))),
  ).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A session machine and everything that it ever asked for. */
export interface TestNode {
  readonly context: SessionContext;
  state: SessionState;
  readonly effects: Effect[];
  /** @returns the effects of this input alone. */
  input(input: SessionInput): Effect[];
  receive(message: ServerMessage): Effect[];
}

export interface NodeOptions {
  readonly policy?: object;
  readonly role?: 'partner' | 'evaluator';
  readonly pinned?: readonly string[];
  readonly ledger?: LedgerView;
  readonly approved?: boolean;
}

export function createNode(
  identity: Identity,
  all: readonly Identity[],
  options: NodeOptions = {},
): TestNode {
  const { policy, role = 'partner', pinned = all.map(({ id }) => id), ledger = EMPTY_LEDGER } = options;
  const rules = role === 'partner' ? { plans: [{ plan: hashes.plan }], minRoster: 3, ...policy } : policy;
  const context: SessionContext = {
    crypto: nodeCrypto,
    random: seededRandom(nodeCrypto, utf8(identity.id)),
    identity,
    coordinator: coordinator.id,
    policy: parsePolicy(rules, role),
    engine: { name: 'test', speed: 'medium' },
    instance: 'A'.repeat(22),
  };
  const approvals = new Map(options.approved ? [[hashes.plan, 'approved' as const]] : []);
  const effects: Effect[] = [];
  return {
    context,
    state: createSession(ledger, approvals, new Set(pinned)),
    effects,
    input(input) {
      const next = step(this.state, input, NOW, context);
      this.state = next.state;
      effects.push(...next.effects);
      return [...next.effects];
    },
    receive(message) {
      return this.input({ type: 'message', message });
    },
  };
}

export const proposal = (body: unknown = plan): ServerMessage => ({ type: 'proposal', run: RUN, plan: body });

function fieldsOf(changes: Partial<Announcement> = {}, of: Plan = plan) {
  const { mode, clip, coordinateBound = clip, weightCap, weights, collusion } = of.aggregation;
  return {
    epoch: 1,
    run: RUN,
    round: 1,
    attempt: 1,
    nonce: toBase64(nodeCrypto.sha256(utf8(JSON.stringify(changes))).subarray(0, 16)),
    plan: hashesOf(nodeCrypto, of).plan,
    model: hash('model'),
    weights: hash('weights'),
    layout: { parameters: 20, scalars: scalarNames(of).length },
    aggregation: { mode, clip, coordinateBound, weightCap, weights, collusion },
    previousTranscript: null,
    ...changes,
  };
}

const server = { crypto: nodeCrypto, identity: coordinator };

export function announceMessage(
  changes: Partial<Announcement> = {},
  of: Plan = plan,
  by: Identity = coordinator,
): ServerMessageOf<'announce'> {
  const { announcement, signature } = secagg.openServerAttempt(
    { crypto: nodeCrypto, identity: by },
    fieldsOf(changes, of),
    [],
  );
  return { type: 'announce', announcement, signature };
}

/** The messages that one member gets in an honest attempt, in order. */
export interface Script {
  readonly announce: ServerMessageOf<'announce'>;
  readonly roster: ServerMessageOf<'roster'>;
  readonly cohort: ServerMessageOf<'cohort'>;
  readonly survivors: ServerMessageOf<'survivors'>;
  readonly agreed: ServerMessageOf<'agreed'>;
  readonly published: ServerMessageOf<'published'>;
  readonly attempt: string;
}

export const VECTOR = hash('masked vector');

/** Plays an attempt with all nodes; `scripted` is the one whose messages are written down. */
export function playAttempt(
  nodes: readonly TestNode[],
  scripted: TestNode,
  changes: Partial<Announcement> = {},
  of: Plan = plan,
): Script {
  const ids = nodes.map(({ context }) => context.identity.id);
  const opened = secagg.openServerAttempt(server, fieldsOf(changes, of), ids);
  const { attempt } = opened.state;
  let state: secagg.ServerAttempt = opened.state;
  const script: Partial<Record<ServerMessage['type'], ServerMessage>> = {};
  const tell = (messageFor: (node: TestNode) => ServerMessage) => {
    for (const node of nodes) {
      const message = messageFor(node);
      node.receive(message);
      if (node === scripted) script[message.type] = structuredClone(message);
    }
  };
  const idOf = (node: TestNode) => node.context.identity.id;
  const { announcement, signature } = opened;
  tell(() => ({ type: 'announce', announcement, signature }));
  for (const node of nodes) {
    const sent = sentOf(node.input({ type: 'trained', attempt }), 'advert');
    state = secagg.receiveAdvert(state, server, idOf(node), sent.advert);
  }
  const u1 = frozen(secagg.freezeRoster(state, server, { minimum: 3 }));
  state = u1.state;
  tell(() => ({ type: 'roster', attempt, roster: u1.roster, signature: u1.signature }));
  for (const node of nodes)
    state = secagg.receiveDeals(state, server, idOf(node), sentOf(node.effects, 'shares').deals);
  const u2 = frozen(secagg.freezeCohort(state, server));
  state = u2.state;
  tell((node) => ({
    type: 'cohort',
    attempt,
    cohort: u2.cohort,
    signature: u2.signature,
    deals: secagg.dealsFor(state, idOf(node)),
  }));
  for (const node of nodes) {
    node.input({ type: 'masked', attempt, sha256: VECTOR });
    state = secagg.receiveUpdate(state, idOf(node), VECTOR);
    node.input({ type: 'uploaded', attempt });
  }
  const u3 = frozen(secagg.freezeSurvivors(state, server, { minSum: 3 }));
  state = u3.state;
  tell(() => ({ type: 'survivors', attempt, survivors: u3.survivors, signature: u3.signature }));
  for (const node of nodes) {
    const { signature: agreement } = sentOf(node.effects, 'agree');
    state = secagg.receiveAgreementSignature(state, server, idOf(node), agreement);
  }
  const signatures = [...(secagg.agreement(state) ?? [])];
  tell(() => ({ type: 'agreed', attempt, signatures }));
  const { run, round } = announcement;
  const results = {
    model: hash('next model'),
    weights: hash('next weights'),
    transcript: hash('transcript'),
  };
  tell(() => ({ type: 'published', attempt, run, round, ...results }));
  return { ...(script as unknown as Script), attempt };
}

function frozen<F extends secagg.Freeze<object>>(result: F): Exclude<F, { kind: 'failed' }> {
  if (result.kind === 'failed') throw result.error;
  return result as Exclude<F, { kind: 'failed' }>;
}

/* ---- reading effects ---- */

export const messagesOf = (effects: readonly Effect[]): ClientMessage[] =>
  effects.flatMap((effect) => (effect.type === 'send' ? [effect.message] : []));

export const eventsOf = (effects: readonly Effect[]): SessionEvent[] =>
  effects.flatMap((effect) => (effect.type === 'emit' ? [effect.event] : []));

/** What the effects are, in order: `send consent`, `append announced`, `emit roster`, `mask` ... */
export const kindsOf = (effects: readonly Effect[]): string[] =>
  effects.map((effect) => {
    if (effect.type === 'send') return `send ${effect.message.type}`;
    if (effect.type === 'append') return `append ${effect.record.type}`;
    return effect.type === 'emit' ? `emit ${effect.event.type}` : effect.type;
  });

/** The last message of that type. */
export function sentOf<T extends ClientMessage['type']>(
  effects: readonly Effect[],
  type: T,
): ClientMessageOf<T> {
  const found = messagesOf(effects).findLast((message) => message.type === type);
  if (!found) throw new Error(`no ${type} was sent`);
  return found as ClientMessageOf<T>;
}

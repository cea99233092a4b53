/**
 * A partner that speaks the protocol by hand: the real handshake, frames and secure-aggregation machine, and no policy.
 * Tests use it honestly, or interfere with any message it is about to send.
 */
import { createHash } from 'node:crypto';
import {
  authorizeRequest,
  type Channel,
  type ClientMessage,
  createChannel,
  createHello,
  emptyDigest,
  finishAsClient,
  type Identity,
  parsePlan,
  planHash,
  type ServerMessage,
  type SessionKeys,
  type Welcome,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import {
  createAccumulator,
  encodeScalar,
  gridOf,
  layoutOf,
  quantise,
  writeSentinels,
} from '@tributary/protocol/ring';
import * as secagg from '@tributary/protocol/secagg';
import { WebSocket } from 'ws';

export interface RawSession {
  readonly socket: WebSocket;
  readonly keys: SessionKeys;
  readonly channel: Channel;
  /** All messages so far that nobody has taken. */
  next<T extends ServerMessage['type']>(type: T): Promise<Extract<ServerMessage, { type: T }>>;
  /** Those that are here now, none waited for; all others are forgotten. */
  taken<T extends ServerMessage['type']>(type: T): Extract<ServerMessage, { type: T }>[];
  send(message: ClientMessage | object): void;
  put(path: string, body: Uint8Array, digest?: string): Promise<number>;
  get(path: string): Promise<{ status: number; bytes: number }>;
  readonly closed: Promise<{ code: number; reason: string }>;
}

export async function openSession(url: string, identity: Identity, coordinator: string): Promise<RawSession> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/session`);
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  );
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const ephemeral = { secret: nodeRandom(32), nonce: nodeRandom(32) };
  const hello = createHello(nodeCrypto, identity, ephemeral);
  socket.send(JSON.stringify(hello));
  const welcome = await new Promise<Welcome>((resolve, reject) => {
    socket.once('message', (data) => resolve(JSON.parse(data.toString())));
    closed.then(({ code, reason }) => reject(Object.assign(new Error(reason), { code })));
  });
  const { prove, keys } = finishAsClient(nodeCrypto, identity, ephemeral, hello, welcome, coordinator);
  const channel = createChannel(nodeCrypto, keys, 'client');
  const inbox: ServerMessage[] = [];
  const wakers = new Set<() => void>();
  socket.on('message', (data) => {
    inbox.push(channel.open(data as Buffer) as ServerMessage);
    for (const wake of wakers) wake();
    wakers.clear();
  });
  socket.send(JSON.stringify(prove));
  let counter = 0;
  const authorization = (method: string, path: string, digest: string): string =>
    authorizeRequest(nodeCrypto, keys, { method, path, digest }, counter++);
  return {
    ...{ socket, keys, channel, closed },
    async next(type) {
      for (;;) {
        const at = inbox.findIndex((message) => message.type === type);
        if (at >= 0) return inbox.splice(at, 1)[0] as never;
        await new Promise<void>((resolve) => wakers.add(resolve));
      }
    },
    taken: (type) => inbox.splice(0).filter((message) => message.type === type) as never,
    send: (message) => socket.send(channel.seal(message)),
    async put(path, body, digest = createHash('sha256').update(body).digest('hex')) {
      const headers = {
        authorization: authorization('PUT', path, digest),
        'content-type': 'application/octet-stream',
      };
      const response = await fetch(url + path, { method: 'PUT', headers, body: Buffer.from(body) });
      await response.arrayBuffer();
      return response.status;
    },
    async get(path) {
      const headers = { authorization: authorization('GET', path, emptyDigest(nodeCrypto)) };
      const response = await fetch(url + path, { headers });
      return { status: response.status, bytes: (await response.arrayBuffer()).byteLength };
    },
  };
}

export interface Contribution {
  readonly delta: Float32Array;
  readonly weight: number;
  /** Scalars behind the weight. */
  readonly scalars: readonly number[];
}

/** What a test may do to a message before it leaves: change it, or drop it by returning null. */
export type Interfere = (message: ClientMessage) => ClientMessage | null;

/** Consents to whatever is proposed and takes part until the session closes. */
export function takePart(
  session: RawSession,
  identity: Identity,
  coordinator: string,
  pinned: ReadonlySet<string>,
  contribution: Contribution,
  interfere: Interfere = (message) => message,
): void {
  const context: secagg.ClientContext = {
    crypto: nodeCrypto,
    identity,
    floors: { minRoster: 3, minSum: 3, collusion: 1 },
    pinned,
    allowPlain: true,
  };
  let state: secagg.ClientAttempt;
  const send = (message: ClientMessage): void => {
    const changed = interfere(message);
    if (changed && session.socket.readyState === WebSocket.OPEN) session.send(changed);
  };
  const keep = <T extends object>(step: secagg.Step<T>): T => {
    state = step.state;
    if (step.kind !== 'answered') throw new Error(`The client refuses: ${JSON.stringify(step)}`);
    return step;
  };
  const loop = async <T extends ServerMessage['type']>(
    type: T,
    handle: (message: Extract<ServerMessage, { type: T }>) => void | Promise<void>,
  ): Promise<void> => {
    for (;;) await handle(await session.next(type));
  };
  loop('proposal', ({ run, plan }) =>
    send({ type: 'consent', run, plan: planHash(nodeCrypto, parsePlan(plan)) }),
  );
  loop('announce', ({ announcement, signature }) => {
    state = secagg.openAttempt(context, announcement, signature, coordinator);
    send({
      type: 'advert',
      attempt: state.attempt,
      advert: keep(secagg.advertise(state, context, nodeRandom)).advert,
    });
  });
  loop('roster', ({ roster, signature }) => {
    const { deals } = keep(secagg.receiveRoster(state, context, roster, signature, nodeRandom));
    send({ type: 'shares', attempt: state.attempt, deals: [...deals] });
  });
  loop('cohort', async ({ cohort, signature, deals }) => {
    const masking = keep(secagg.receiveCohort(state, context, cohort, signature, deals));
    if (masking.todo === 'resend') return;
    const { terms, members } = masking;
    const { layout: shape, aggregation } = state.announcement;
    const layout = layoutOf(shape.parameters, shape.scalars);
    const vector = createAccumulator(layout.length);
    const share = contribution.weight / aggregation.weightCap;
    quantise(contribution.delta, share, gridOf(members, aggregation.coordinateBound), layout, vector.words);
    for (const [slot, value] of [contribution.weight, ...contribution.scalars].entries())
      encodeScalar(vector.words, layout, slot, value, slot === 0 || slot === 2 || slot === 3 ? 1 : 65_536);
    writeSentinels(vector.words);
    vector.addKeystreams(terms.map(({ key, sign }) => ({ stream: nodeCrypto.keystream(key), sign })));
    const sha256 = createHash('sha256').update(vector.bytes).digest('hex');
    keep(secagg.vectorMasked(state, sha256));
    await session.put(`/v1/updates/${state.attempt}`, vector.bytes);
  });
  loop('survivors', ({ survivors, signature }) => {
    const answer = keep(secagg.receiveSurvivors(state, context, survivors, signature));
    if (answer.signature) send({ type: 'agree', attempt: state.attempt, signature: answer.signature });
  });
  loop('agreed', ({ signatures }) => {
    const { shares } = keep(secagg.receiveAgreement(state, context, signatures));
    send({ type: 'unmask', attempt: state.attempt, shares });
  });
}

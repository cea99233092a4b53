/** A partner that is enrolled and holds its keys: sealed messages with something wrong in them, in any order. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Dice } from '../../chaos/random.ts';
import { openSession, type RawSession } from '../../support/raw-partner.ts';
import type { House } from '../house.ts';
import { mutateBytes, mutateJson } from '../mutate.ts';
import { complaintAbout, complaintAboutClose, filled, type Json, type Target, written } from '../target.ts';

type Step =
  | { readonly message: Json; readonly times?: number }
  /** Sealed as it is: JSON that JSON.stringify would not write. */
  | { readonly plain: string }
  /** Not sealed. */
  | { readonly frame: string }
  | { readonly text: string }
  /** The frame before, again: the counter is used up. */
  | { readonly again: true };

const HASH = 'c'.repeat(64);
const KEY = 'A'.repeat(43);
const SIGNATURE = 'A'.repeat(86);
const BOUND = { coordinator: '$key', announcement: '$attempt' };
const DEAL = {
  ...{ ...BOUND, roster: HASH, dealer: '$self', receiver: KEY, seedCommitment: HASH },
  ...{ maskShareHash: HASH, seedShareHash: HASH, ciphertext: 'A'.repeat(110) },
};
const attempt = '$attempt';
const SEEDS: readonly Json[] = [
  { type: 'engine', engine: { name: 'native', speed: 'fast' } },
  { type: 'instance', instance: { id: 'A'.repeat(22), starts: 1 } },
  { type: 'consent', run: '$run', plan: '$plan' },
  { type: 'decline', run: '$run', plan: '$plan', code: 'policy-refused', reason: 'no' },
  { type: 'progress', attempt, twentieths: 3 },
  {
    ...{ type: 'advert', attempt },
    advert: { advert: { ...BOUND, member: '$self', encryptionKey: KEY, maskKey: KEY }, signature: SIGNATURE },
  },
  { type: 'shares', attempt, deals: [{ deal: DEAL, signature: SIGNATURE }] },
  { type: 'agree', attempt, signature: SIGNATURE },
  { type: 'unmask', attempt, shares: { seeds: [{ of: '$self', share: 'AAAA' }], maskKeys: [] } },
  { type: 'abandon', attempt, signature: SIGNATURE },
  { type: 'leave', attempt, code: 'training-failed', reason: 'x', convict: ['$self'] },
  { type: 'evaluation', run: '$run', round: 0, model: HASH, count: 1, loss: 0.5, metrics: { accuracy: 1 } },
  { type: 'hello' },
];

export function sessionTarget(house: House): Target {
  const open: RawSession[] = [];
  /** The keepers of the attempt stay out of it. */
  const players = house.mallories.slice(3, -1);
  let turn = 0;

  async function sessionOf(at: number): Promise<RawSession> {
    const known = open[at];
    if (known?.socket.readyState === 1) return known;
    for (let tries = 0; ; tries++) {
      try {
        const session = await openSession(house.url, players[at]!, house.key);
        open[at] = session;
        return session;
      } catch (error) {
        // Its sessions come too fast: another one, or later.
        if ((error as { code?: number }).code !== 4429 || tries > 300) throw error;
        await sleep(200);
      }
    }
  }

  return {
    name: 'session',
    share: 14.5,
    generate(dice) {
      const steps = Array.from({ length: 1 + Math.floor(dice.next() * 5) }, () => step(dice));
      return steps as unknown as Json;
    },
    async play(input) {
      const at = turn++ % players.length;
      const session = await sessionOf(at);
      return play(session, input as unknown as Step[], { ...house.facts(), self: players[at]!.id });
    },
  };
}

async function play(
  session: RawSession,
  steps: readonly Step[],
  facts: Readonly<Record<string, string>>,
): Promise<string | null> {
  const { socket } = session;
  let last: Uint8Array = new Uint8Array(40);
  const send = (frame: Uint8Array) => {
    last = frame;
    socket.send(frame);
  };
  for (const one of steps) {
    if (socket.readyState !== 1) break;
    if ('message' in one)
      for (let i = one.times ?? 1; i > 0; i--) send(seal(session, written(one.message, facts)));
    else if ('plain' in one) send(seal(session, filled(one.plain, facts)));
    else if ('frame' in one) send(Buffer.from(one.frame, 'base64'));
    else if ('text' in one) socket.send(one.text);
    else send(last);
  }
  const closed = session.closed.then(({ code, reason }) => complaintAboutClose(code, reason));
  if (socket.readyState === 1) socket.ping();
  const silent = new AbortController();
  const heard = await Promise.race([
    closed,
    once(socket, 'pong', { signal: silent.signal }).then(() => null),
    // A flood is read later.
    sleep(20_000, 'the session is silent', { signal: silent.signal }),
  ]).finally(() => silent.abort());
  for (const { code } of session.taken('refused')) {
    const wrong = complaintAbout(code);
    if (wrong) return wrong;
  }
  return heard;
}

/** Frames sealed so far: the channel would only write JSON. */
const sealed = new WeakMap<RawSession, number>();

function seal(session: RawSession, text: string): Uint8Array {
  const count = sealed.get(session) ?? 0;
  sealed.set(session, count + 1);
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(4, count, true);
  return nodeCrypto.seal(session.keys.clientToServer, nonce, Buffer.from(text), new Uint8Array(0));
}

function step(dice: Dice): Step {
  const seed = dice.pick(SEEDS);
  switch (
    dice.pick([
      'message',
      'message',
      'message',
      'message',
      'right',
      'plain',
      'frame',
      'text',
      'again',
      'flood',
    ])
  ) {
    case 'right':
      return { message: seed };
    case 'plain':
      return { plain: mutateBytes(dice, Buffer.from(JSON.stringify(seed))).toString('latin1') };
    case 'frame':
      return { frame: mutateBytes(dice, Buffer.alloc(60, 1)).toString('base64') };
    case 'text':
      return { text: JSON.stringify(seed) };
    case 'again':
      return { again: true };
    case 'flood':
      return { message: seed, times: 40 };
    default:
      return { message: mutateJson(dice, seed) };
  }
}

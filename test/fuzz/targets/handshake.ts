/** The WebSocket before anybody has proved who it is: upgrades, frames that no library would send, hello and prove. */
import { createHello } from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import type { Dice } from '../../chaos/random.ts';
import type { House } from '../house.ts';
import { mutateBytes, mutateJson, mutateText } from '../mutate.ts';
import { complaintAbout, complaintAboutClose, type Json, type Target, written } from '../target.ts';
import { exchange, parseAnswer, wsFrame } from '../wire.ts';

interface Frame {
  readonly opcode: number;
  /** Base64, or a handshake message whose "$identity" and so on are filled in. */
  readonly bytes?: string;
  readonly json?: Json;
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  readonly length?: number;
}
interface Input {
  readonly head: string;
  readonly frames: readonly Frame[];
}

const HEAD =
  'GET /v1/session HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
const HELLO: Json = {
  type: 'hello',
  versions: [1],
  software: 'fuzz',
  identity: '$identity',
  ephemeral: '$ephemeral',
  nonce: 'A'.repeat(43),
};
const PROVE: Json = { type: 'prove', signature: 'A'.repeat(86) };
const CLOSE: Frame = { opcode: 8, bytes: Buffer.from([3, 232]).toString('base64') };

export function handshakeTarget(house: House): Target {
  let caller = 0;
  const ephemeral = { secret: nodeRandom(32), nonce: nodeRandom(32) };

  function frameOf({ json, bytes = '', ...shape }: Frame, from: number): Buffer {
    const identity = house.mallories[from % house.mallories.length]!;
    const hello = createHello(nodeCrypto, identity, ephemeral);
    const payload =
      json === undefined
        ? Buffer.from(bytes, 'base64')
        : Buffer.from(written(json, { identity: identity.id, ephemeral: hello.ephemeral }, 4000));
    return wsFrame({ ...shape, payload });
  }

  return {
    name: 'handshake',
    share: 15,
    generate(dice) {
      const head = dice.chance(0.2) ? mutateText(dice, HEAD) : HEAD;
      const frames = [
        dice.chance(0.7) ? change(dice, { opcode: 1, json: HELLO }) : { opcode: 1, json: HELLO },
      ];
      if (dice.chance(0.6)) frames.push(change(dice, { opcode: 1, json: PROVE }));
      while (dice.chance(0.3)) frames.push(change(dice, { opcode: 2, bytes: randomish(dice) }));
      if (dice.chance(0.05))
        frames.push(...Array.from({ length: 200 }, () => ({ opcode: 9, bytes: 'AAAA' })));
      if (dice.chance(0.05))
        frames.unshift(
          ...Array.from({ length: 100 }, (_, i) => ({ opcode: i === 0 ? 1 : 0, bytes: 'QQ==', fin: false })),
        );
      return { head, frames: [...frames, CLOSE] } as unknown as Json;
    },
    async play(input) {
      const { head, frames } = input as unknown as Input;
      caller++;
      const from = `127.2.${(caller >> 8) % 250}.${1 + (caller % 250)}`;
      const parts = [Buffer.from(head, 'latin1'), ...frames.map((frame) => frameOf(frame, caller))];
      const bytes = await exchange(house.port, from, parts);
      if (bytes === 'silent') return 'the connection stays open';
      return complaint(bytes);
    },
  };
}

function complaint(bytes: Buffer): string | null {
  if (bytes.length === 0) return null;
  const answer = parseAnswer(bytes);
  if (!answer) return `answered no HTTP: ${bytes.subarray(0, 80).toString('latin1')}`;
  if (answer.status !== 101) {
    if (answer.status < 400 || answer.body === '') return null;
    try {
      return complaintAbout(JSON.parse(answer.body).code);
    } catch {
      return `${answer.status} without a Problem: ${answer.body.slice(0, 100)}`;
    }
  }
  // Frames of the server are not masked, and short: text, or a close.
  for (let at = 0, { rest } = answer; at + 2 <= rest.length; ) {
    const [first = 0, second = 0] = rest.subarray(at);
    const long = second === 126 ? 2 : second === 127 ? 8 : 0;
    const size = long === 2 ? rest.readUInt16BE(at + 2) : second;
    const payload = rest.subarray(at + 2 + long, at + 2 + long + size);
    if ((first & 15) === 8 && payload.length >= 2)
      return complaintAboutClose(payload.readUInt16BE(0), payload.subarray(2).toString('utf8'));
    at += 2 + long + size;
  }
  return null;
}

function change(dice: Dice, frame: Frame): Frame {
  switch (dice.pick(['json', 'json', 'json', 'bytes', 'shape'])) {
    case 'json':
      return frame.json === undefined ? frame : { ...frame, json: mutateJson(dice, frame.json) };
    case 'bytes': {
      const { json, ...rest } = frame;
      const bytes =
        json === undefined ? Buffer.from(frame.bytes ?? '', 'base64') : Buffer.from(JSON.stringify(json));
      return { ...rest, bytes: mutateBytes(dice, bytes).toString('base64') };
    }
    default:
      return {
        ...frame,
        ...dice.pick([
          { opcode: Math.floor(dice.next() * 16) },
          { fin: false },
          { rsv: 1 + Math.floor(dice.next() * 7) },
          { masked: false },
          { length: dice.pick([0, 1, 125, 65_535, 3_000_000, 2 ** 40]) },
        ]),
      };
  }
}

const randomish = (dice: Dice): string =>
  Buffer.from(
    Array.from({ length: Math.floor(dice.next() * 200) }, () => Math.floor(dice.next() * 256)),
  ).toString('base64');

/** What reads bytes and text of others without any socket: each gives a value, or a typed refusal. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cancerPlan, digitsPlan, loadNodeConfig, parsePolicy } from '@tributary/client-sdk';
import {
  CLIENT_MESSAGES,
  canonicalJson,
  createChannel,
  decodeInvite,
  decodeSafetensors,
  encodeInvite,
  encodeSafetensors,
  fromBase64,
  fromHex,
  Hello,
  parsePlan,
  parseSessionClaim,
  planHash,
  SERVER_MESSAGES,
  validate,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Dice } from '../../chaos/random.ts';
import { mutateBytes, mutateJson, mutateText, strange } from '../mutate.ts';
import { complaintAboutThrown, type Json, type Target, written } from '../target.ts';

interface Decoder {
  readonly seeds: readonly Json[];
  /** How inputs are changed. */
  readonly as: 'json' | 'text' | 'bytes';
  readonly read: (value: never) => unknown;
}

const KEY = 'A'.repeat(43);
const HASH = 'a'.repeat(64);
const MODEL = encodeSafetensors({
  tensors: [
    { name: 'a/kernel', shape: [2, 3], offset: 0, length: 6 },
    { name: 'b/bias', shape: [2], offset: 6, length: 2 },
  ],
  values: new Float32Array(8).fill(0.5),
});
const PLANS = [digitsPlan({ partners: 3 }), cancerPlan({ partners: 3 })] as unknown as Json[];
const NODE_YAML = `name: clinic
state: state
data:
  kind: csv
  path: rows.csv
engine: wasm
policy:
  plans: ask
  minRoster: 3
`;
const MESSAGES: Json[] = [
  { type: 'consent', run: 'r', plan: HASH },
  { type: 'leave', attempt: HASH, code: 'late', reason: 'x', convict: [KEY] },
  { type: 'unmask', attempt: HASH, shares: { seeds: [{ of: KEY, share: 'AAAA' }], maskKeys: [] } },
  { type: 'evaluation', run: 'r', round: 1, model: HASH, count: 1, loss: 1, metrics: { accuracy: 1 } },
  { type: 'ready', name: 'a', role: 'partner', members: [{ name: 'b', key: KEY, role: 'partner' }] },
  { type: 'agreed', attempt: HASH, signatures: [{ member: KEY, signature: 'A'.repeat(86) }] },
];

function decoders(folder: string): Readonly<Record<string, Decoder>> {
  const yaml = join(folder, 'node.yaml');
  const readMessage = (message: { type?: unknown }) => {
    const type = typeof message?.type === 'string' ? message.type : '';
    const schema = CLIENT_MESSAGES.get(type) ?? SERVER_MESSAGES.get(type) ?? Hello;
    validate(schema, message, 'message');
  };
  return {
    safetensors: { as: 'bytes', seeds: [base64(MODEL)], read: (bytes: Buffer) => decodeSafetensors(bytes) },
    plan: { as: 'json', seeds: PLANS, read: (plan: Json) => planHash(nodeCrypto, parsePlan(plan)) },
    policy: {
      as: 'json',
      seeds: [
        { plans: [{ plan: HASH }], minRoster: 3, maxRounds: 9, aggregation: 'allow-plain' },
        { plans: 'ask' },
      ],
      read: (policy: Json) => parsePolicy(policy, 'partner'),
    },
    invite: {
      as: 'text',
      seeds: [
        encodeInvite({
          url: 'http://x.example',
          key: KEY,
          secret: KEY,
          name: 'a',
          role: 'partner',
          expires: 1,
        }),
      ],
      read: (text: string) => decodeInvite(text),
    },
    claim: {
      as: 'text',
      seeds: [`Tributary-Session ${'A'.repeat(22)}.7.${HASH}.${KEY}`],
      read: (text: string) => parseSessionClaim(text),
    },
    canonical: { as: 'json', seeds: [...PLANS, ...MESSAGES], read: (value: Json) => canonicalJson(value) },
    base64: { as: 'text', seeds: [KEY], read: (text: string) => fromBase64(text) },
    hex: { as: 'text', seeds: [HASH], read: (text: string) => fromHex(text) },
    message: { as: 'json', seeds: MESSAGES, read: readMessage },
    frame: {
      as: 'bytes',
      seeds: [base64(seal(MESSAGES[0]!))],
      read: (bytes: Buffer) => createChannel(nodeCrypto, KEYS, 'server').open(bytes),
    },
    yaml: {
      as: 'text',
      seeds: [NODE_YAML],
      async read(text: string) {
        writeFileSync(yaml, text);
        await loadNodeConfig(yaml).finally(() => rmSync(yaml, { force: true }));
      },
    },
  };
}

const zeros = new Uint8Array(32);
const KEYS = { session: 'A'.repeat(22), clientToServer: zeros, serverToClient: zeros, http: zeros };
const seal = (message: Json) => createChannel(nodeCrypto, KEYS, 'client').seal(message as object);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export function decoderTarget(folder: string): Target {
  const all = decoders(folder);
  return {
    name: 'decoders',
    share: 40,
    generate(dice) {
      const name = dice.pick(Object.keys(all));
      const { as, seeds } = all[name]!;
      return { decoder: name, value: dice.chance(0.05) ? strange(dice) : change(dice, as, dice.pick(seeds)) };
    },
    async play(input) {
      const { decoder, value } = input as { decoder: string; value: Json };
      const found = all[decoder];
      if (!found) return null;
      const given = found.as === 'json' ? JSON.parse(written(value)) : String(value);
      try {
        await found.read((found.as === 'bytes' ? Buffer.from(given, 'base64') : given) as never);
      } catch (thrown) {
        return complaintAboutThrown(thrown);
      }
      return null;
    },
  };
}

function change(dice: Dice, as: Decoder['as'], seed: Json): Json {
  if (as === 'bytes') return mutateBytes(dice, Buffer.from(String(seed), 'base64')).toString('base64');
  let value = seed;
  for (let i = 1 + Math.floor(dice.next() * 2); i > 0; i--)
    value = as === 'text' ? mutateText(dice, String(value)) : mutateJson(dice, value);
  return value;
}

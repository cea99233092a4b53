import { TributaryError } from '@tributary/protocol';
import { describe, expect, it } from 'vitest';
import { digitsPlan } from '../data/digits-plan.ts';
import { nodeEventWords } from './node-words.ts';
import { fields, printError, table } from './output.ts';
import { planWords } from './plan-words.ts';
import { printable } from './printable.ts';
import { eventWords } from './run-words.ts';
import { createTestIo } from './test-io.ts';

/** Moves the cursor up and writes another line over the one that was there; or starts a line of its own. */
const ATTACKS = [
  '\u001b[2A\u001b[2Kaggregation  secure',
  'harmless\naggregation  secure',
  '\u009b1A',
  '\u202esecure',
  '\u2028x',
];
const context = { io: createTestIo(), json: false };

describe.each(ATTACKS)('text that draws over the terminal (%j)', (attack) => {
  const isTame = (text: string) => {
    for (const sign of ['\u001b', '\u009b', '\u202e', '\u2028']) expect(text).not.toContain(sign);
    expect(text).not.toMatch(/\n *aggregation {2}secure/);
  };

  it('in the description of a plan is disarmed where the owner decides', () => {
    const plan = { ...digitsPlan({ partners: 3 }), description: attack };
    const text = fields(context, planWords({ ...plan, aggregation: { ...plan.aggregation, mode: 'plain' } }));
    isTame(text);
    expect(text).toMatch(/^aggregation +PLAIN/m);
  });

  it('in a table, an event or an error is disarmed too', () => {
    isTame(table(context, ['WHY'], [[attack]]));
    isTame(
      eventWords({
        seq: 1,
        time: 0,
        kind: 'abandoned',
        round: 1,
        attempt: 1,
        data: { code: 'late', reason: attack },
      })!,
    );
    isTame(eventWords({ seq: 1, time: 0, kind: attack, round: 1, attempt: 1, data: {} })!);
    isTame(nodeEventWords({ type: 'warning', code: 'late', message: attack }, 'node.yaml')!);
    isTame(nodeEventWords({ type: 'run-ended', run: attack, status: 'done', reason: attack }, 'node.yaml')!);
    const io = createTestIo();
    printError({ io, json: false }, new TributaryError('late', attack, { remedy: attack }));
    isTame(io.written().err);
  });
});

describe('printable text', () => {
  it('leaves letters of every script alone', () => {
    const texts = [
      'Ärzte-Bund',
      '東京',
      'مستشفى',
      '🙂',
      '❤️',
      'บ้านที่นี่',
      'हिन्दी',
      'שַׁבָּת',
      'Tiê\u0323\u0301ng',
      '葛\u{e0100}',
    ];
    for (const text of [...texts, 'a b', '']) expect(printable(text)).toBe(text);
  });

  it('shows letters that show nothing, and marks that pile up on the lines above', () => {
    expect(printable('secure\u3164\u3164x\u2800\u115f')).toBe('secure\ufffd\ufffdx\ufffd\ufffd');
    expect(printable(`a${'\u0335\u0301'.repeat(50)}b`)).toBe('a\u0335\u0301\u0335\u0301\ufffdb');
    expect(printable('\u0336no')).toBe('\ufffdno');
  });
});

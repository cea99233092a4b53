import { describe, expect, it } from 'vitest';
import { TributaryError } from './errors.ts';
import { failed, findingLines, fine, runChecks, summarise, warning } from './findings.ts';

describe('findings', () => {
  it('come in the order of the checks, whichever ends first, and what a check throws is one of them', async () => {
    const slow = { name: 'a', run: async () => [await new Promise<never>(() => {})], limitMs: 30 };
    const typed = {
      name: 'b',
      run: async () => {
        throw new TributaryError('not-found', 'No file.', { remedy: 'Make one.' });
      },
    };
    const broken = {
      name: 'c',
      run: async () => {
        throw Object.assign(new Error('the password is hunter2'), { code: 'EIO' });
      },
    };
    const found = await runChecks(
      [slow, typed, broken, { name: 'd', run: async () => [fine('d', 'Good.')] }],
      1000,
    );
    expect(found.map(({ check, level }) => [check, level])).toEqual([
      ['a', 'failed'],
      ['b', 'failed'],
      ['c', 'failed'],
      ['d', 'ok'],
    ]);
    expect(found[0]).toMatchObject({ message: 'No answer within 0.03 s.' });
    expect(found[1]).toMatchObject({ message: 'No file.', remedy: 'Make one.' });
    expect(JSON.stringify(found[2])).toContain('EIO');
    expect(JSON.stringify(found[2])).not.toContain('hunter2');
  });

  it('are summed up by the worst of them', () => {
    const good = fine('x', 'Good.');
    const so = warning('y', 'So so.', 'Look.');
    expect(summarise([good]).text).toBe('All is well: 1 ok, 0 warnings, 0 failed.');
    expect(summarise([good, so]).text).toBe('It works; see the warnings: 1 ok, 1 warning, 0 failed.');
    expect(summarise([good, so, failed('z', 'Bad.', 'Mend.')])).toMatchObject({
      failed: 1,
      warnings: 1,
      ok: 1,
    });
  });

  it('are one line each, with the remedy beneath', () => {
    const marks = { ok: '+', warning: '!', failed: 'x' };
    expect(findingLines([fine('disk', 'Much.'), failed('clock', 'Late.', 'Set it.')], marks)).toEqual([
      '+ disk   Much.',
      'x clock  Late.',
      '           Set it.',
    ]);
  });
});

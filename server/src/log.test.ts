import { Writable } from 'node:stream';
import { TributaryError } from '@tributary/protocol';
import { expect, it } from 'vitest';
import { createLog } from './log.ts';

function logged(error: unknown) {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  createLog('info', stream as never).error({ err: error }, 'failed');
  return JSON.parse(lines.join('')).err;
}

it('an error with a code is logged with its remedy and what it came from, and without a stack', () => {
  const cause = new Error('ENOSPC: no space left on device, write');
  const error = new TributaryError('storage-failed', 'The disk is full.', {
    remedy: 'Free some space.',
    cause,
  });
  expect(logged(error)).toEqual({
    code: 'storage-failed',
    message: 'The disk is full.',
    remedy: 'Free some space.',
    cause: cause.message,
  });
});

it('a fault of the program shows where it was', () => {
  const fault = new TributaryError('internal', 'An unexpected fault.', {
    cause: new RangeError('out of bounds'),
  });
  expect(logged(fault).stack).toMatch(/out of bounds.*log\.test\.ts/s);
  expect(logged(new TypeError('undefined is not a function')).stack).toContain('log.test.ts');
});

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchTls } from './tls-files.ts';

const DAY_MS = 86_400_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('a certificate that comes near its end while the coordinator runs is told once a day', () => {
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (_about: object, text: string) => void warnings.push(text) };
  const first = { context: {}, expires: Date.now() + 20 * DAY_MS };
  const files = { cert: '/nowhere/cert.pem', key: '/nowhere/key.pem' };
  const watch = watchTls(files, first, () => {}, log, DAY_MS / 4);
  vi.advanceTimersByTime(6 * DAY_MS);
  expect(warnings).toEqual([]);
  vi.advanceTimersByTime(3 * DAY_MS);
  expect(warnings).toEqual(Array(3).fill('the TLS certificate expires soon: renew it'));
  watch.stop();
});

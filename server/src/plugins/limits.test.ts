import { expect, it } from 'vitest';
import { createFailureLimiter, networkOf } from './limits.ts';

it('remembers a bounded number of addresses, whatever is thrown at it', () => {
  const limiter = createFailureLimiter(() => 0);
  for (let i = 0; i < 25_000; i++) limiter.failed(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  expect(limiter.size).toBe(10_000);
});

it('forgets windows that are over', () => {
  let now = 0;
  const limiter = createFailureLimiter(() => now);
  for (let i = 0; i < 100; i++) limiter.failed(`10.0.0.${i}`);
  now = 60_000;
  limiter.failed('10.1.0.0');
  expect(limiter.size).toBe(1);
});

it('counts a /64 of IPv6 as one address, and IPv4 addresses each for itself', () => {
  const limiter = createFailureLimiter(() => 0);
  for (const address of ['2001:db8::1', '2001:db8:0:0:ffff::2', '2001:db8:0:0:1:2:3:4'])
    limiter.failed(address);
  expect(limiter.size).toBe(1);
  limiter.failed('2001:db8:0:1::1');
  limiter.failed('::ffff:10.0.0.1');
  limiter.failed('::ffff:10.0.0.2');
  expect(limiter.size).toBe(4);
});

it('knows no network of a connection that is gone', () => {
  expect(networkOf(undefined)).toBe('');
});

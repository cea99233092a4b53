import { describe, expect, test } from 'vitest';
import { backoffDelay } from './backoff.ts';
import { requireSecureUrl } from './url.ts';

test('the waits grow to their ceiling and are spread over all of it', () => {
  const backoff = { minMs: 200, maxMs: 30_000 };
  expect([1, 2, 3, 8, 9, 1000].map((failures) => backoffDelay(backoff, failures, 1))).toEqual([
    ...[200, 400, 800, 25_600, 30_000, 30_000],
  ]);
  expect(backoffDelay(backoff, 5, 0)).toBe(0);
});

describe('plain HTTP', () => {
  test.each(['http://127.0.0.1:1', 'http://localhost', 'http://[::1]:8080', 'https://example.org'])(
    '%s is fine',
    (url) => {
      expect(requireSecureUrl(url, false).origin).toBe(new URL(url).origin);
    },
  );
  test.each([
    'http://example.org',
    'http://10.0.0.1',
    'http://127.0.0.1.example.org',
    'http://localhost.example.org',
    'http://0.0.0.0',
  ])('%s is refused unless allowed on purpose', (url) => {
    expect(() => requireSecureUrl(url, false)).toThrow(expect.objectContaining({ code: 'policy-refused' }));
    expect(requireSecureUrl(url, true).href).toContain(url);
  });
  test.each(['ftp://x', 'file:///etc/passwd', 'nonsense', ''])('%j is no coordinator', (url) => {
    expect(() => requireSecureUrl(url, true)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});

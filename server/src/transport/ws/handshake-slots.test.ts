import { LIMITS } from '@tributary/protocol';
import { expect, test } from 'vitest';
import { createHandshakeSlots } from './handshake-slots.ts';

test('one address with silent sockets leaves slots for the others, and gets its own back', () => {
  const slots = createHandshakeSlots();
  const given: (() => void)[] = [];
  while (slots.free('10.0.0.1')) given.push(slots.take('10.0.0.1'));
  expect(given.length).toBe(LIMITS.handshakes / 4);
  expect(slots.free('10.0.0.2')).toBe(true);
  for (const address of ['10.0.0.2', '10.0.0.3', '10.0.0.4'])
    while (slots.free(address)) given.push(slots.take(address));
  expect(given.length).toBe(LIMITS.handshakes);
  expect(slots.free('10.0.0.5')).toBe(false);
  given[0]!();
  expect(slots.free('10.0.0.5')).toBe(true);
  expect(slots.free('10.0.0.1')).toBe(true);
});

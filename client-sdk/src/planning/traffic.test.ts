import { CLIENT_MESSAGES, SERVER_MESSAGES, validate } from '@tributary/protocol';
import { expect, test } from 'vitest';
import { digitsPlan } from '../data/digits-plan.ts';
import { controlMessages, trafficOf } from './traffic.ts';

test('the messages that control traffic is reckoned from are messages of the protocol', () => {
  const { client, server } = controlMessages(digitsPlan({ partners: 5 }), 199_210);
  for (const message of client) validate(CLIENT_MESSAGES.get(message.type)!, message, message.type);
  for (const message of server) validate(SERVER_MESSAGES.get(message.type)!, message, message.type);
  const types = [...client, ...server].map(({ type }) => type);
  for (const type of ['advert', 'shares', 'agree', 'unmask', 'announce', 'roster', 'cohort', 'survivors'])
    expect(types).toContain(type);
});

test('deals make control traffic grow with the cohort, and nothing else does with the model', () => {
  const weights = (length: number) => ({
    tensors: [{ name: 'w', shape: [length], offset: 0, length }],
    values: new Float32Array(length),
  });
  const few = trafficOf(digitsPlan({ partners: 5 }), weights(100_000));
  const many = trafficOf(digitsPlan({ partners: 50 }), weights(100_000));
  // 45 more deals to send and 45 more to receive, each between 500 and 1000 bytes.
  expect(many.controlUp - few.controlUp).toBeGreaterThan(45 * 500);
  expect(many.controlDown - few.controlDown).toBeLessThan(45 * 2500);
  const large = trafficOf(digitsPlan({ partners: 5 }), weights(1_000_000));
  expect(large.up - few.up).toBe(4 * (900_000 + 14));
  expect(Math.abs(large.controlUp - few.controlUp)).toBe(0);
});

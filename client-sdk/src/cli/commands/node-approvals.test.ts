import { expect, test } from 'vitest';
import { digitsPlan } from '../../data/digits-plan.ts';
import type { Approval } from '../../node/approvals.ts';
import { createTestIo } from '../test-io.ts';
import { approvalText } from './node-approvals.ts';

const context = { io: createTestIo(), json: false };
const layer = { class_name: 'Dense', config: { units: 300_000_000, batch_input_shape: [null, 784] } };

test.each([
  ['whose topology cannot be read', { layers: [7] }, /a layer is not/],
  ['that would take all memory', { layers: [layer] }, /parameters, the limit is/],
])('a pending plan %s does not hide the others', async (_, config, words) => {
  const body = { ...digitsPlan({ partners: 3 }), model: { topology: { class_name: 'Sequential', config } } };
  const hash = 'a'.repeat(64);
  const approval: Approval = {
    ...{ plan: hash, topology: hash, state: 'pending', run: 'r', body, proposedAt: 1, decidedAt: null },
  };
  const text = await approvalText(context, approval, 'http://127.0.0.1:1');
  expect(text).toContain(hash);
  expect(text).toMatch(/^cannot be used/m);
  expect(text).toMatch(words);
});

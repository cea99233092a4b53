/** Rules whose limits are too far away to be reached in an adapter's test. */
import { LIMITS, RotationList, type SignedRotation } from '@tributary/protocol';
import { expect, it } from 'vitest';
import { key } from './fixtures.ts';
import type { PartnerRow } from './ports.ts';
import { judgeRotation, requireFewRotations } from './rules.ts';

it('who had too many keys is told what to do, and a coordinator nothing that only partners can', () => {
  const told = (subject: 'member' | 'coordinator') => {
    try {
      requireFewRotations(LIMITS.rotations, subject);
    } catch (error) {
      return (error as { remedy: string }).remedy;
    }
    return '';
  };
  expect(told('member')).toContain('tributary partners remove');
  expect(told('coordinator')).toContain('tributary-server start --data NEW-FOLDER');
  expect(told('coordinator')).not.toContain('partners remove');
  requireFewRotations(LIMITS.rotations - 1, 'coordinator');
});

it('no rotation is taken that would make the list longer than a node reads', () => {
  expect((RotationList as { maxItems?: number }).maxItems).toBe(LIMITS.rotationList);
  const signatures = { old: 'A'.repeat(86), new: 'A'.repeat(86) };
  const time = 1_700_000_000_000;
  const signed: SignedRotation = {
    rotation: { subject: 'member', coordinator: key(), old: key(), new: key(), time },
    signatures,
  };
  const owner = { name: 'ann', status: 'active' } as PartnerRow;
  const facts = { replaced: undefined, owner, taken: false, before: 3 };
  const judge = (listed: number) => judgeRotation(signed, { ...facts, listed });
  expect(judge(LIMITS.rotationList - 1)).toBe(false);
  expect(() => judge(LIMITS.rotationList)).toThrow(expect.objectContaining({ code: 'conflict' }));
  expect(LIMITS.rotationList * (JSON.stringify(signed).length + 1)).toBeLessThan(4 * 1024 * 1024);
});

/** What a policy means, in plain words: a node prints it when it starts. */
import { FLOORS } from '@tributary/protocol';
import { survivorFloor, threshold } from '@tributary/protocol/secagg';
import type { Policy } from './policy.ts';

const NUMBERS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

export function policyRemarks(policy: Policy): string[] {
  const remarks: string[] = [];
  if (Array.isArray(policy.plans) && policy.plans.length === 0)
    remarks.push('plans: none are allowed, so this node takes part in nothing.');
  if (policy.rotation === 'follow')
    remarks.push('rotation follow: whoever steals a key that is accepted here can put another in its place.');
  if (policy.role === 'evaluator') return remarks;
  const { minRoster, minSum, collusion, aggregation } = policy;
  if (aggregation === 'allow-plain')
    remarks.push("aggregation allow-plain: in a plain run the coordinator sees this partner's whole update.");
  const least = survivorFloor({ t: threshold(minRoster, collusion), c: collusion, minSum });
  const notes: string[] = [];
  if (least >= minRoster) notes.push('no drop-out is survived');
  else if (least === FLOORS.members) notes.push('a sum may hold only three');
  if (least === FLOORS.members) notes.push('two partners together know the third');
  if (notes.length > 0)
    remarks.push(`minRoster ${minRoster}: with ${words(minRoster)} partners ${notes.join(', and ')}.`);
  return remarks;
}

function words(count: number): string {
  return NUMBERS[count] ?? String(count);
}

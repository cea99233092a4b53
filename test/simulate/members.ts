import type { Member } from '@tributary/protocol';
import type { Setting } from './setting.ts';

export const nameOf = (index: number): string => `node ${index}`;

export function membersOf({ everybody, nodes }: Setting): Member[] {
  return everybody.map(({ id }, i) => ({
    name: nameOf(i),
    key: id,
    role: i < nodes.length ? 'partner' : 'evaluator',
  }));
}

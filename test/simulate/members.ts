import type { Member } from '@tributary/protocol';
import type { World } from './world.ts';

export function membersOf({ nodes }: World): Member[] {
  return nodes.map(({ id }, i) => ({ name: `node ${i}`, key: id, role: 'partner' as const }));
}

/** Server strategies by the name that a plan gives. Each is one small pure file; this table is the list of them. */
import type { Plan } from '@tributary/protocol';
import { fedavg } from './fedavg.ts';
import type { Strategy } from './port.ts';

export type StrategyName = Plan['aggregation']['strategy']['name'];
export type { Strategy };

const STRATEGIES = { fedavg } as const satisfies Record<StrategyName, () => Strategy>;

export function createStrategy(name: StrategyName): Strategy {
  return STRATEGIES[name]();
}

/** What everybody in one simulation shares. */
import type { Dice } from './dice.ts';
import type { Network } from './network.ts';
import type { Oracle } from './oracle/oracle.ts';
import type { Ports } from './process.ts';
import type { Setting } from './setting.ts';
import type { Timeline } from './timeline.ts';

export interface World extends Setting {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly ports: Ports;
  readonly network: Network;
  readonly oracle: Oracle;
  readonly trace: (line: string) => void;
}

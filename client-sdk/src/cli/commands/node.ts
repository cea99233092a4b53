/** A partner's own node. */
import { group } from '../command.ts';
import { approvePlan, pending, refusePlan } from './node-approvals.ts';
import { coordinator } from './node-coordinator.ts';
import { init } from './node-init.ts';
import { members } from './node-members.ts';
import { rotate } from './node-rotate.ts';
import { start } from './node-start.ts';
import { trust } from './node-trust.ts';

export const node = group({
  name: 'node',
  description: "A partner's own node: its key, the partners it accepts, the plans it agrees to",
  examples: [
    { line: 'node init INVITE', does: 'once: make the key and enrol' },
    { line: 'node start --config node.yaml', does: 'take part until Ctrl-C' },
  ],
  commands: [init, members, start, pending, approvePlan, refusePlan, rotate, trust, coordinator],
});

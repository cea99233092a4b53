/** All commands, in the order in which a newcomer meets them. */
import { group } from './command.ts';
import { data } from './commands/data.ts';
import { doctor } from './commands/doctor.ts';
import { models } from './commands/models.ts';
import { node } from './commands/node.ts';
import { partners } from './commands/partners.ts';
import { plan } from './commands/plan.ts';
import { runs } from './commands/runs.ts';
import { login, logout, status } from './commands/session.ts';
import { tokens } from './commands/tokens.ts';

export const root = group({
  name: 'tributary',
  description: 'Train one model with partners who keep their data: partner nodes, training runs, models',
  examples: [
    {
      line: 'login http://127.0.0.1:8080',
      does: 'operator: log in with the token that the coordinator printed',
    },
    { line: 'node init INVITE', does: 'partner: make a key and enrol with the invite from the operator' },
    { line: 'runs start plan.yaml --watch', does: 'operator: train' },
  ],
  commands: [login, logout, status, partners, tokens, node, runs, models, plan, data, doctor],
});

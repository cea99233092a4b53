/** How to go on after the demo. */
import type { View } from './view.ts';

/** Where everything is kept with --data, and where its nodes look for the coordinator. */
export interface Kept {
  readonly folder: string;
  readonly url: string;
}

export function nextSteps(kept: Kept | undefined, { bold, cyan, dim }: View['colors']): string {
  const lines = kept ? byHand(kept) : MORE;
  return [
    bold('How to go on'),
    ...lines.flatMap(([line, does]) => [dim(`  # ${does}`), `  ${cyan(line)}`]),
    '  README.md shows the same by hand, in separate terminals, on your own data.',
  ].join('\n');
}

const MORE: readonly [string, string][] = [
  ['npm run demo -- --drop 1', 'a partner dies in the middle of round 2'],
  [
    'npm run demo -- --partners 10 --partition shards:2 --epochs 1 --lr .05 --rounds 20',
    'partners that each hold two or so of the ten digits',
  ],
  ['npm run demo -- --dataset cancer', 'partners agree on means and spreads in one secure sum, then train'],
  ['npm run demo -- --data demo-data', 'keep keys, policies, the database and the models'],
];

function byHand({ folder, url }: Kept): readonly [string, string][] {
  const one = `${folder}/partner-1`;
  return [
    [
      `npx tributary-server start --data ${folder}/coordinator --port ${new URL(url).port}`,
      'the coordinator again',
    ],
    [`npx tributary login ${url} < ${folder}/admin-token`, 'in another terminal, as its administrator'],
    ['npx tributary models list', 'the models of this run, to take away'],
    [
      `npx tributary node start --config ${one}/node.yaml --passphrase-file ${one}/passphrase`,
      'a partner again: its policy allows the plan of this demo and no other',
    ],
  ];
}

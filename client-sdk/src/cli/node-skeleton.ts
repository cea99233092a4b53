/** The node.yaml that `tributary node init` leaves for its owner to complete. */
import type { Member } from '@tributary/protocol';

export function nodeSkeleton(name: string, role: Member['role'], state: string): string {
  return `\
# What this node is, where its private data lies, and what its owner allows.
name: ${name}
state: ${state}            # encrypted key, accepted members, ledger; made by \`tributary node init\`

data:                     # paths are relative to this file; the rows never leave this machine
  kind: csv               # csv | idx | folder
  path: data.csv
  # kind: idx             # images and labels in the format of MNIST
  # images: images.idx3-ubyte
  # labels: labels.idx1-ubyte
  # kind: folder          # one folder per class, holding PNG or JPEG files
  # path: images
# trainer:                # a program of your own that trains instead of tfjs: client-sdk/TRAINER.md
#   command: [python3, trainer.py]

${role === 'evaluator' ? EVALUATOR : PARTNER}`;
}

const PARTNER = `\
policy:                   # what is not allowed here is refused; only this file and its owner decide
  plans: ask              # ask | [ {plan: HASH} | {topology: HASH} ]; \`tributary plan hash\` prints hashes
  aggregation: secure     # secure: the coordinator learns sums only | allow-plain (tests only)
  minRoster: 5            # fewer accepted partners than this and this node takes no part
  minSum: 3               # fewer partners in a sum than this and this node does not unmask it
  collusion: 1            # partners assumed to work together with the coordinator
  maxRounds: 100          # of one run
  rotation: ask           # a partner's new key, signed by the accepted one: ask you | follow by itself
`;

const EVALUATOR = `\
policy:                   # this node holds public data and only measures models
  plans: ask              # ask | [ {plan: HASH} | {topology: HASH} ]; leave policy out to allow all
`;

/** `npm run demo -- --help` */
export const HELP = `\
Trains one model on real data at several partners: a coordinator, the partners and an evaluator, each its own process
with its own keys, policy and private rows, on this machine. The coordinator learns sums and nothing else.

USAGE  npm run demo -- [options]

  --dataset NAME    digits: 10,000 handwritten digits, 784-200-200-10 network; cancer: 569 breast masses with 30
                    measures, 30-16-1 network, standardised by constants that partners first agree on in one
                    secure sum (digits)
  --partners N      partner nodes, 3 to 128 (5)
  --rounds R        rounds of federated averaging (10)
  --epochs E        passes over a partner's own rows in one round (5)
  --batch B         rows in one step of training (10; cancer 8)
  --lr X            learning rate of plain SGD (.1)
  --partition D     how the rows are dealt: iid, shards:S (sorted by class, S pieces for each partner),
                    dirichlet:A (uneven shares of every class; the smaller A, the more uneven) (iid)
  --seed S          of the dealing and of the initial weights (1)
  --drop K          kill K partners in round 2 with SIGKILL, alternately before and after their upload (0)
  --engine E        what nodes train with: auto (native where it is installed, else wasm), native, wasm (auto)
  --port P          where the coordinator listens on 127.0.0.1 (any free port)
  --data DIR        keep everything in DIR: keys, shards, policies, the coordinator's database, logs, the models
                    (a temporary folder, deleted at the end)
  --json FILE       write the result as JSON
  --help            this text

EXAMPLES

  # about a minute: five partners, ten rounds
  npm run demo

  # a quick look
  npm run demo -- --rounds 3 --epochs 1

  # a partner dies in round 2 and the round is published all the same
  npm run demo -- --drop 1

  # partners that each hold two or so of the ten digits: alone they cannot learn the others
  npm run demo -- --partners 10 --partition shards:2 --epochs 1 --lr .05 --rounds 20

  # hospitals that agree on means and spreads before they train, without showing anybody their own
  npm run demo -- --dataset cancer

  # look at what each node and the coordinator keep
  npm run demo -- --data /tmp/tributary-demo --json result.json

EXIT CODES  0 done · 1 failed or stopped · 2 the command line is wrong

NO_COLOR=1 turns colours off. Without a terminal, each phase and each round is one line.
`;

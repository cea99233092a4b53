/** One chaos: sets up, torments, lets it end in peace, and says what came out. */
import type { Arsenal } from './arsenal.ts';
import { createArsenal } from './arsenal.ts';
import { buildHouse, type House } from './house.ts';
import { meddle } from './meddle.ts';
import { createOperator, type Operator } from './operator.ts';
import type { ChaosOptions } from './options.ts';
import { createOracle, type Oracle } from './oracle.ts';
import { createDice } from './random.ts';
import { createRecords, type Records } from './records.ts';
import type { Report } from './report.ts';
import { createTally, type Tally } from './tally.ts';
import { torment } from './torment.ts';

/** Once nothing is killed any more, the last run ends within: milliseconds. */
const PEACE_MS = 120_000;
/** From so many kills on, every crash point can be hit. */
const MANY = 150;
/** Of all kills, at most this share is for setting up. */
const SET_UP_SHARE = 0.3;

export interface Chaos extends ChaosOptions {
  readonly folder: string;
  readonly progress: (text: string) => void;
}

export async function runChaos(chaos: Chaos): Promise<Report> {
  const began = Date.now();
  const dice = createDice(chaos.seed);
  const arsenal = createArsenal(dice, chaos.kills >= MANY);
  const tally = createTally(dice);
  const enough = () =>
    tally.kills() >= chaos.kills || tally.violations.length > 0 || Date.now() - began > chaos.seconds * 1000;
  let house: House | undefined;
  let parts: Parts = { tally, arsenal };
  try {
    house = await buildHouse({
      ...{ folder: chaos.folder, nodes: chaos.nodes, dice, arsenal, tally, phase: chaos.progress },
      kills: chaos.kills,
      setUpKills: Math.floor(chaos.kills * SET_UP_SHARE),
    });
    const { folders } = house;
    const records = createRecords(folders, tally.violation);
    const oracle = createOracle(house, records, tally);
    const operator = createOperator(house, oracle);
    parts = { tally, arsenal, oracle, operator, records };
    const line = () => chaos.progress(words(tally, arsenal, oracle, operator, chaos.kills));
    const timer = setInterval(line, 250);
    let peace: NodeJS.Timeout | undefined;
    try {
      const meddling = meddle({ house, operator, records, dice, tally, folder: chaos.folder, enough });
      const tormented = Promise.all([torment(house, dice, tally, operator, enough), meddling]).then(() => {
        peace = setTimeout(() => tally.violation('The last run did not end in peace.'), PEACE_MS);
      });
      await Promise.all([operator.work(enough), tormented]);
      await settle(house, oracle, operator, tally);
    } finally {
      clearInterval(timer);
      clearTimeout(peace);
    }
    return report(chaos, began, parts);
  } catch (thrown) {
    tally.violation((thrown as Error).message);
    return report(chaos, began, parts);
  } finally {
    await house?.close();
  }
}

/** After one more start, so that everything is read from the disk. */
async function settle(house: House, oracle: Oracle, operator: Operator, tally: Tally): Promise<void> {
  house.coordinator.kill();
  const runs = await house.persist('the last look', async (api) => {
    const shown = await Promise.all([...operator.runs.keys()].map((id) => api.run(id)));
    for (const run of shown) await oracle.look(run, operator.runs.get(run.id)!);
    return shown;
  });
  oracle.finish(runs);
  const discontent = await house.check();
  if (discontent !== null) tally.violation(`tributary-server check: ${discontent}`);
}

interface Parts {
  readonly tally: Tally;
  readonly arsenal: Arsenal;
  readonly oracle?: Oracle;
  readonly operator?: Operator;
  readonly records?: Records;
}

function report(
  { seed, folder, keep }: Chaos,
  began: number,
  { tally, arsenal, oracle, operator, records }: Parts,
): Report {
  const attempts = [...(records?.attempts.values() ?? [])];
  const void_: Record<string, number> = {};
  for (const attempt of attempts)
    if (attempt.void !== null) void_[attempt.void] = (void_[attempt.void] ?? 0) + 1;
  const sum = (count: (attempt: (typeof attempts)[number]) => number) =>
    attempts.reduce((total, attempt) => total + count(attempt), 0);
  return {
    seed,
    seconds: Math.round((Date.now() - began) / 1000),
    kills: { all: tally.kills(), coordinator: tally.coordinator, nodes: tally.nodes, tools: tally.tools },
    crashPoints: {
      hit: arsenal.hit.size,
      all: arsenal.hit.size + arsenal.missing.length,
      points: [...arsenal.hit].sort(),
      missing: arsenal.missing,
    },
    faults: tally.faults,
    deeds: tally.deeds,
    runs: { started: operator?.runs.size ?? 0, givenUp: operator?.stuck ?? 0 },
    rounds: oracle?.tallies.published ?? 0,
    evaluations: oracle?.tallies.evaluations ?? 0,
    attempts: { announced: attempts.length, void: void_ },
    updates: {
      acknowledged: sum(({ acknowledged }) => acknowledged.size),
      withdrawn: sum(
        ({ acknowledged, withdrawn }) => [...acknowledged].filter((node) => withdrawn.has(node)).length,
      ),
      lost: oracle?.tallies.lost ?? 0,
      countedTwice: oracle?.tallies.twice ?? 0,
    },
    modelsEqual: oracle?.tallies.equal ?? 0,
    violations: tally.violations,
    folder: keep || tally.violations.length > 0 ? folder : null,
  };
}

function words(tally: Tally, arsenal: Arsenal, oracle: Oracle, operator: Operator, kills: number): string {
  const { latest } = operator;
  const where = latest
    ? `run ${operator.runs.size} round ${latest.round}/${latest.rounds}`
    : 'starting a run';
  const phase = latest?.current?.phase.slice(0, 40) ?? '';
  return `kills ${tally.kills()}/${kills}  points ${arsenal.hit.size}/${arsenal.hit.size + arsenal.missing.length}  rounds ${oracle.tallies.published}  ${where} ${phase}`;
}

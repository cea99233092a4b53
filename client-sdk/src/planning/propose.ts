/** From a sample to a complete plan: the draft, its hyper-parameters, and the reasons for both. */
import { stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { FLOORS, LIMITS, type Plan, parsePlan, TributaryError } from '@tributary/protocol';
import { fileProblem } from '../data/problems.ts';
import { buildModel, prepareTopology } from '../trainer/model/topology.ts';
import type { Draft, PlanningOptions } from './draft.ts';
import { initialNorm } from './estimate.ts';
import { type Finding, finding } from './finding.ts';
import { imageDraft } from './image-draft.ts';
import { readIdxImages, readImageFolder } from './image-sample.ts';
import { readTable } from './read-table.ts';
import { recipeFor } from './recipe.ts';
import { sniff } from './sniff.ts';
import { tableDraft } from './table-draft.ts';

export interface ProposalOptions extends PlanningOptions {
  readonly partners: number;
  readonly onRows?: (rows: number) => void;
}

export interface Proposal {
  readonly draft: Draft;
  readonly plan: Plan;
  /** As it is written: what is left out is at its default. */
  readonly raw: object;
  readonly why: Readonly<Record<string, string>>;
  readonly findings: readonly Finding[];
}

/** Of the initial weights. */
const SEED = 1;

/** @throws data-invalid, not-found, malformed, cohort-too-large; each with the next thing to do */
export async function proposePlan(path: string, options: ProposalOptions): Promise<Proposal> {
  requirePartners(options.partners);
  return complete(await draftOf(path, options), options.partners);
}

async function draftOf(path: string, options: ProposalOptions): Promise<Draft> {
  const name = planName(path);
  const found = await stat(path).catch((thrown) => {
    throw fileProblem(path, thrown);
  });
  if (found.isDirectory()) return imageDraft(await readImageFolder(path, options.onRows), options, name);
  const kind = await sniff(path);
  if (kind.kind === 'idx') return imageDraft(await readIdxImages(path), options, name);
  return tableDraft(await readTable(path, kind.delimiter, options.onRows), options, name);
}

async function complete(draft: Draft, partners: number): Promise<Proposal> {
  const skeleton = (training: object, clip: number, weightCap: number, rounds: number) => ({
    name: draft.name,
    description: draft.description,
    model: { topology: draft.network.topology },
    features: draft.features,
    training: { ...training, loss: draft.loss, metrics: draft.metrics },
    aggregation: { mode: 'secure', clip, weightCap, weights: 'exact', collusion: 1 },
    cohort: { min: partners },
    rounds,
    holdout: 0.1,
    earlyStop: { metric: 'loss', patience: 5, minDelta: 0 },
    seed: SEED,
  });
  const first = skeleton({ optimizer: { name: 'sgd', learningRate: 1 } }, 1, 1000, 1);
  // With its seeds, so that one sample gives one plan.
  const topology = await prepareTopology(draft.network.topology, SEED);
  const model = await buildModel(parsePlan({ ...first, model: { topology } }));
  const norm = initialNorm(model);
  model.dispose();
  const recipe = recipeFor({ rows: draft.examples, net: draft.net, norm });
  const raw = skeleton(recipe.training, recipe.clip, recipe.weightCap, recipe.rounds);
  return {
    draft,
    raw,
    plan: parsePlan(raw),
    why: {
      ...WHY,
      ...recipe.why,
      ...draft.why,
      'model.topology': draft.network.why,
      'cohort.min': cohortWhy(partners),
    },
    findings: [...draft.findings, ...cohortFindings(partners)],
  };
}

/** The same in every plan. */
const WHY: Readonly<Record<string, string>> = {
  features: 'every partner prepares its rows alike',
  'training.metrics': 'measured on the hold-outs; only their sum over all partners is seen',
  'aggregation.mode': 'the coordinator learns the sum and nothing else',
  'aggregation.weights': 'exact | bucketed | uniform',
  'aggregation.collusion': 'partners assumed to work together with the coordinator',
  holdout: "share of each partner's rows kept aside to measure the incoming model",
  earlyStop: 'ends the run when the loss on the hold-outs has not fallen for `patience` rounds',
  seed: "of the initial weights; each partner's own randomness is its own",
};

function cohortWhy(partners: number): string {
  return partners === FLOORS.members
    ? 'fewer and a round does not start; with three no drop-out is survived'
    : 'fewer and a round does not start; below the number of partners, drop-outs are survived';
}

function cohortFindings(partners: number): Finding[] {
  if (partners >= 5) return [];
  return [
    finding(
      'warning',
      'few-partners',
      `With ${partners} partners, ${partners - 1} of them together know the update of the last one.`,
      'Five or more are better: --partners 5.',
    ),
  ];
}

function requirePartners(partners: number): void {
  if (partners < FLOORS.members)
    throw new TributaryError(
      'malformed',
      `${partners} partners are too few: with two, the sum tells each of them the other's update.`,
      { remedy: `Pass --partners ${FLOORS.members} or more; 5 and more survive a drop-out.` },
    );
  if (partners > LIMITS.cohort)
    throw new TributaryError(
      'cohort-too-large',
      `${partners} partners, the limit of one cohort is ${LIMITS.cohort}.`,
      {
        remedy: `Pass --partners ${LIMITS.cohort} or less.`,
      },
    );
}

/** Letters, digits, dots and dashes, as names of plans are. */
function planName(path: string): string {
  const stem = basename(resolve(path), extname(path));
  const name = stem
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, 60);
  return name === '' ? 'plan' : name;
}

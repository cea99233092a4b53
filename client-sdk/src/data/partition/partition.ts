/** Ways to deal one labelled data set to simulated partners. Pure: same labels, partners and random, same partition. */
import { TributaryError } from '@tributary/protocol';
import { dirichlet, MIN_ROWS } from './dirichlet.ts';
import { evenly, type Random, shuffled } from './random.ts';

export type PartitionScheme =
  | { readonly kind: 'iid' }
  /** Rows sorted by label, cut into partners x shards pieces, `shards` pieces for each (McMahan et al. 2017). */
  | { readonly kind: 'shards'; readonly shards: number }
  | { readonly kind: 'dirichlet'; readonly alpha: number };

/** @param text `iid`, `shards:S` or `dirichlet:A`, as `--partition` takes it */
export function parsePartition(text: string): PartitionScheme {
  if (text === 'iid') return { kind: 'iid' };
  const [, kind, number = ''] = /^(shards|dirichlet):(\d+|\d*\.\d+)$/.exec(text) ?? [];
  const value = Number(number);
  if (kind === 'shards' && Number.isInteger(value) && value >= 1 && value <= 1000)
    return { kind, shards: value };
  if (kind === 'dirichlet' && value >= 0.001 && value <= 1e6) return { kind, alpha: value };
  throw new TributaryError('malformed', `${JSON.stringify(text.slice(0, 60))} is no partition.`, {
    remedy:
      'Give iid, shards:S with a whole S from 1 to 1000, or dirichlet:A with A from 0.001 to 1000000, such as dirichlet:0.5.',
  });
}

export function formatPartition(scheme: PartitionScheme): string {
  switch (scheme.kind) {
    case 'iid':
      return 'iid';
    case 'shards':
      return `shards:${scheme.shards}`;
    case 'dirichlet':
      return `dirichlet:${scheme.alpha}`;
  }
}

/**
 * @param labels class index per row
 * @returns row indices per partner; every row exactly once, every partner at least one
 * @throws data-invalid when the scheme cannot be met
 */
export function partition(
  scheme: PartitionScheme,
  labels: ArrayLike<number>,
  partners: number,
  random: Random,
): number[][] {
  if (!Number.isInteger(partners) || partners < 1)
    throw new TributaryError('malformed', `${partners} is no number of partners.`);
  const pieces = { iid: 1, shards: scheme.kind === 'shards' ? scheme.shards : 1, dirichlet: MIN_ROWS };
  const needed = partners * pieces[scheme.kind];
  if (labels.length < needed)
    throw new TributaryError(
      'data-invalid',
      `${formatPartition(scheme)} for ${partners} partners needs ${needed} rows, there are ${labels.length}.`,
      { remedy: 'Take fewer partners.' },
    );
  const rows = Array.from({ length: labels.length }, (_, row) => row);
  switch (scheme.kind) {
    case 'iid':
      return evenly(shuffled(rows, random), partners);
    case 'shards': {
      const sorted = shuffled(rows, random).sort((a, b) => labels[a]! - labels[b]!);
      const dealt = shuffled(evenly(sorted, partners * scheme.shards), random);
      return evenly(dealt, partners).map((own) => own.flat());
    }
    case 'dirichlet':
      return dirichlet(byLabel(rows, labels), partners, scheme.alpha, random);
  }
}

function byLabel(rows: readonly number[], labels: ArrayLike<number>): number[][] {
  const groups = new Map<number, number[]>();
  for (const row of rows) {
    const group = groups.get(labels[row]!);
    if (group) group.push(row);
    else groups.set(labels[row]!, [row]);
  }
  return [...groups.values()];
}

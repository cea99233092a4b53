/**
 * What the coordinator could see, from real bytes: one upload is copied out of its own folder while it holds it, and
 * compared with what the partner meant and with the sum that was published.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSafetensors, type Plan, type RunEvent, scalarNames } from '@tributary/protocol';
import { gridOf, type Layout, layoutOf, parameterBlocks, payloadIndex } from '@tributary/protocol/ring';
import type { House } from './house.ts';

export interface Upload {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: Buffer;
}

/** Copies the first upload of round 1 as soon as the coordinator says that it has it. */
export function catchUpload(folder: string): {
  onEvent(event: RunEvent): void;
  caught(): Upload | undefined;
} {
  let upload: Upload | undefined;
  const spool = join(folder, 'coordinator', 'spool');
  // Of a run before this one, not discarded yet.
  const earlier = new Set(readdirSync(spool));
  return {
    caught: () => upload,
    onEvent({ kind, round, data }) {
      if (upload || kind !== 'answered' || data.phase !== 'upload' || round !== 1) return;
      const bytes = readUpload(spool, earlier, String(data.member));
      if (bytes)
        upload = { name: String(data.name), sha256: createHash('sha256').update(bytes).digest('hex'), bytes };
    },
  };
}

/** Undefined when the round was faster than we. */
function readUpload(spool: string, earlier: ReadonlySet<string>, member: string): Buffer | undefined {
  for (const attempt of readdirSync(spool)) {
    if (earlier.has(attempt)) continue;
    try {
      return readFileSync(join(spool, attempt, member));
    } catch {
      // Discarded, or of another attempt.
    }
  }
  return undefined;
}

export interface Findings {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Bits of Shannon entropy in a byte: of the upload, and of the partner's own update as the same kind of integers. */
  readonly entropy: number;
  readonly ownEntropy: number;
  /** Correlation of the partner's own update with the published mean, and of the upload with each of the two. */
  readonly ownLikeness: number;
  readonly likeness: number;
  readonly likenessToMean: number;
  /** Words that are 1 in every vector before it is masked. */
  readonly sentinels: readonly number[];
}

/**
 * @param own weights of the same partner after the same work on the same rows, without a federation
 * @param initial of round 1
 */
export async function examine(
  { api, plan, partners }: Pick<House, 'api' | 'plan' | 'partners'>,
  upload: Upload,
  own: Float32Array,
  initial: Float32Array,
  model: string,
): Promise<Findings> {
  const next = decodeSafetensors(await api.getBlob(model)).model.values;
  return findingsOf(plan, partners.length, upload, difference(own, initial), difference(next, initial));
}

function findingsOf(
  plan: Plan,
  members: number,
  { name, sha256, bytes }: Upload,
  own: Float32Array,
  mean: Float32Array,
): Findings {
  const layout = layoutOf(mean.length, scalarNames(plan).length);
  const words = new Uint32Array(bytes.length / 4);
  for (let i = 0; i < words.length; i++) words[i] = bytes.readUInt32LE(4 * i);
  const sent = coordinates(words, layout);
  const { scale } = gridOf(members, plan.aggregation.coordinateBound ?? plan.aggregation.clip);
  const meant = Int32Array.from(own, (value) => Math.round(value * scale));
  return {
    ...{ name, sha256, bytes: bytes.length },
    entropy: entropy(bytes),
    ownEntropy: entropy(new Uint8Array(meant.buffer)),
    ownLikeness: correlation(own, mean),
    likeness: correlation(sent, own),
    likenessToMean: correlation(sent, mean),
    sentinels: [...words].filter((_, at) => payloadIndex(at) === undefined),
  };
}

/** The model's coordinates of a vector, as the signed integers that the coordinator would read. */
function coordinates(words: Uint32Array, layout: Layout): Int32Array {
  const values = new Int32Array(layout.parameters);
  for (const { payload, physical, length } of parameterBlocks(layout))
    for (let i = 0; i < length; i++) values[payload + i] = words[physical + i]!;
  return values;
}

function difference(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value - b[i]!);
}

/** Shannon, in bits per byte: 8 for bytes that tell nothing. */
export function entropy(bytes: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const byte of bytes) counts[byte]!++;
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / bytes.length) * Math.log2(count / bytes.length);
  return bits;
}

/** Pearson; between independent vectors of n coordinates about 1 / sqrt(n). */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  let [meanA, meanB] = [0, 0];
  for (let i = 0; i < n; i++) {
    meanA += a[i]! / n;
    meanB += b[i]! / n;
  }
  let [aa, bb, ab] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [da, db] = [a[i]! - meanA, b[i]! - meanB];
    aa += da * da;
    bb += db * db;
    ab += da * db;
  }
  return ab / Math.sqrt(aa * bb);
}

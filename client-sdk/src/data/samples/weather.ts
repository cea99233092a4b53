/** Daily weather of Seattle and New York, 2012 to 2015 (NOAA, public domain): 1,461 days of each, in time order. */
import { evenly } from '../partition/random.ts';
import { type CsvLines, pickLines, readLines } from './csv-lines.ts';

export const PLACES = ['Seattle', 'New York'] as const;

const SHA256 = '27219f1ca8dbd94c9b6f4b9f4f52ab2f1eb33dfdcf719cd9fc6481ed50b74549';
/** The last fifth of the days of each place. */
const TEST_SHARE = 0.2;

/** @throws data-invalid */
export async function loadWeather(): Promise<{ train: CsvLines; test: CsvLines }> {
  const placeOf = (line: string) => PLACES.indexOf(line.split(',', 1)[0] as (typeof PLACES)[number]);
  const all = await readLines('weather.csv', SHA256, placeOf);
  const [train, test] = [[], []] as [number[], number[]];
  for (const days of byPlace(all.labels)) {
    const cut = Math.ceil(days.length * (1 - TEST_SHARE));
    train.push(...days.slice(0, cut));
    test.push(...days.slice(cut));
  }
  return { train: pickLines(all, train), test: pickLines(all, test) };
}

/** A stretch of time for each partner, the same one of every place. */
export function stretches(labels: Uint8Array, partners: number): number[][] {
  const dealt = byPlace(labels).map((days) => evenly(days, partners));
  return Array.from({ length: partners }, (_, partner) => dealt.flatMap((parts) => parts[partner]!));
}

function byPlace(labels: Uint8Array): number[][] {
  return PLACES.map((_, place) => [...labels.keys()].filter((row) => labels[row] === place));
}

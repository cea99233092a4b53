/** Median of the slopes between all pairs (Theil 1950, Sen 1968): the collector's saw-teeth do not tilt it. */
export function slope(xs: readonly number[], ys: readonly number[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < xs.length; i++)
    for (let j = i + 1; j < xs.length; j++) slopes.push((ys[j]! - ys[i]!) / (xs[j]! - xs[i]!));
  slopes.sort((a, b) => a - b);
  return slopes[Math.floor(slopes.length / 2)] ?? 0;
}

const WINDOWS = 12;

/**
 * The lowest reading of each of twelve windows. A collector that runs each few hundred rounds leaves teeth of tens of
 * megabytes, longer than Theil and Sen can see through; what leaks is still there at their lowest points.
 */
export function lows<T>(readings: readonly T[], of: (reading: T) => number): T[] {
  const size = Math.max(1, Math.ceil(readings.length / WINDOWS));
  const windows = Array.from({ length: Math.ceil(readings.length / size) }, (_, i) =>
    readings.slice(i * size, (i + 1) * size),
  );
  return windows.map((window) => window.reduce((low, reading) => (of(reading) < of(low) ? reading : low)));
}

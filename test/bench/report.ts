/** What every bench prints: a value, the floor that was measured in the same run, and their ratio against its goal. */
export interface Result {
  readonly name: string;
  /** Null where it could not be measured here; `note` says why. */
  readonly value: number | null;
  readonly unit: string;
  /** The same work done barely, or a fixed bound where there is none; measured in this run. */
  readonly floor: number | null;
  readonly ratio: number | null;
  readonly goal: string;
  readonly met: boolean;
  readonly note?: string;
}

export function print(result: Result, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  if (result.value === null) {
    process.stdout.write(`${result.name}: ${result.note}\n`);
    return;
  }
  const floor = result.floor === null ? '' : `, floor ${format(result.floor)} ${result.unit}`;
  const ratio = result.ratio === null ? '' : `, ratio ${result.ratio.toFixed(2)}`;
  const verdict = result.met ? 'met' : 'MISSED';
  process.stdout.write(
    `${result.name}: ${format(result.value)} ${result.unit}${floor}${ratio} (goal ${result.goal}: ${verdict})\n`,
  );
  if (result.note) process.stdout.write(`  ${result.note}\n`);
}

export function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toPrecision(3);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** Seconds of wall time. */
export function time(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

/** The campaign: all named tests pass as things are, and each of them fails on its mutant. */
import { type Copy, createCopy } from './copy.ts';
import type { Mutant } from './mutant.ts';
import type { MutantsOptions } from './options.ts';
import { type FileResult, runTests, type TestResult } from './vitest.ts';

export interface Verdict {
  readonly name: string;
  readonly invariant: string;
  readonly test: string;
  readonly file: string;
  /** `survived`: the test passed. `unclear`: it did not run, or failed by accident. */
  readonly outcome: 'caught' | 'survived' | 'unclear';
  /** First line of what the test said. */
  readonly said: string;
  readonly seconds: number;
}

export interface MutantsReport {
  readonly mutants: readonly Verdict[];
  /** Tests that do not pass without any mutant, or do not exist. */
  readonly control: readonly string[];
  readonly seconds: number;
  readonly held: boolean;
}

export async function tryMutants(
  { mutants, atOnce }: MutantsOptions,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<MutantsReport> {
  const begun = performance.now();
  const copies: Copy[] = [];
  try {
    for (let i = 0; i < Math.min(atOnce, mutants.length); i++) copies.push(createCopy());
    progress(`${mutants.length} tests without a mutant`);
    const control = await runControl(copies[0]!, mutants, signal);
    const left = control.length > 0 ? [] : [...mutants];
    const verdicts = new Map<string, Verdict>();
    const work = async (copy: Copy) => {
      for (let mutant = left.shift(); mutant; mutant = left.shift()) {
        progress(`${verdicts.size} of ${mutants.length} mutants: ${mutant.name}`);
        verdicts.set(mutant.name, await tryMutant(copy, mutant, signal));
        signal.throwIfAborted();
      }
    };
    const ends = await Promise.allSettled(copies.map(work));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    const found = mutants.flatMap(({ name }) => verdicts.get(name) ?? []);
    const held = control.length === 0 && found.every(({ outcome }) => outcome === 'caught');
    return { mutants: found, control, seconds: secondsSince(begun), held };
  } finally {
    for (const copy of copies) copy.remove();
  }
}

async function runControl(
  { folder }: Copy,
  mutants: readonly Mutant[],
  signal: AbortSignal,
): Promise<string[]> {
  const files = mutants.map(({ test }) => test.file);
  const names = mutants.map(({ test }) => test.name);
  const results = await runTests(folder, files, names, signal);
  return mutants.flatMap(({ name, test }) => {
    const of = testsOf(results, test);
    if (of.length === 0) return `${name}: no test of ${test.file} is named "${test.name}"`;
    const failing = of.find(({ status }) => status === 'failed');
    return failing ? `${name}: "${failing.fullName}" fails without the mutant: ${firstLine(failing)}` : [];
  });
}

async function tryMutant(copy: Copy, mutant: Mutant, signal: AbortSignal): Promise<Verdict> {
  const { name, invariant, test } = mutant;
  const begun = performance.now();
  const judged = await copy
    .broken(mutant, async () => judge(await runTests(copy.folder, [test.file], [test.name], signal), test))
    .catch((error: Error) => ({ outcome: 'unclear' as const, said: error.message }));
  return { name, invariant, test: test.name, file: test.file, seconds: secondsSince(begun), ...judged };
}

/** An edit that breaks the code rather than its meaning would fail any test and prove nothing. */
export function judge(
  results: readonly FileResult[] | null,
  test: Mutant['test'],
): Pick<Verdict, 'outcome' | 'said'> {
  if (!results) return { outcome: 'unclear', said: 'vitest did not end' };
  const of = testsOf(results, test);
  const failed = of.filter(({ status }) => status === 'failed');
  const unmet = failed.find(({ failureMessages }) => !failureMessages.some(isAccident));
  if (unmet) return { outcome: 'caught', said: firstLine(unmet) };
  if (failed[0]) return { outcome: 'unclear', said: firstLine(failed[0]) };
  if (of.length > 0) return { outcome: 'survived', said: '' };
  const message = results.map((result) => result.message).find((text) => text !== '');
  return { outcome: 'unclear', said: message?.split('\n', 1)[0] ?? 'the test did not run' };
}

function testsOf(results: readonly FileResult[] | null, { file, name }: Mutant['test']): TestResult[] {
  const result = results?.find((other) => other.file === file);
  return (result?.tests ?? []).filter(({ fullName }) => fullName.includes(name));
}

/** Of code that is broken rather than wrong, or of a test that never ended: not what the test is there to say. */
function isAccident(message: string): boolean {
  return /^(Syntax|Reference|Type)Error\b|^Error: (Test|Hook) timed out/.test(message);
}

function firstLine({ failureMessages: [message = ''] }: TestResult): string {
  return message.split('\n', 1)[0]!.slice(0, 200);
}

function secondsSince(begun: number): number {
  return Math.round((performance.now() - begun) / 100) / 10;
}

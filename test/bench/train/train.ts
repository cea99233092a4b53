/** Milliseconds of a training step at batch 32: every net of the plan library on every engine that is here. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ENGINES, type EngineName } from '@tributary/client-sdk/training';
import type { Result } from '../report.ts';
import { measureBlocking } from './blocking.ts';
import type { Finding } from './engine-process.ts';
import { type Net, planOf } from './nets.ts';
import { measureStart } from './node-start.ts';

/** Wasm may take so many times as long as native. */
const GOALS: Partial<Record<Net, number>> = { 'cnn-32': 3, 'digits-2nn': 2 };
/** A first step that takes longer is measured once: milliseconds. */
const LIMIT_MS = 5000;

export interface TrainOptions {
  readonly nets: readonly Net[];
  readonly engines: readonly EngineName[];
}

export async function benchTrain({ nets, engines }: TrainOptions): Promise<Result[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-bench-'));
  try {
    const plans = Object.fromEntries(await Promise.all(nets.map(async (net) => [net, await planOf(net)])));
    const file = join(folder, 'plans.json');
    await writeFile(file, JSON.stringify(plans));
    const found = new Map<EngineName, readonly Finding[]>();
    for (const engine of ENGINES)
      if (engines.includes(engine)) found.set(engine, await measure(engine, file));
    return [
      ...[...found].map(([engine, findings]) => loading(engine, findings)),
      ...nets.flatMap((net) => [...found.keys()].flatMap((engine) => stepOf(net, engine, found))),
      await measureStart(),
      await measureBlocking(),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(engine: EngineName, file: string): Promise<Finding[]> {
  const program = join(import.meta.dirname, 'engine-process.js');
  const child = spawn(process.execPath, [program, engine, file, String(LIMIT_MS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const findings: Finding[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{"kind"')) continue;
    const finding = JSON.parse(line) as Finding;
    findings.push(finding);
    if (finding.kind === 'net') process.stderr.write(`${engine} ${finding.net} ...\n`);
  }
  return findings;
}

function loading(engine: EngineName, findings: readonly Finding[]): Result {
  const loaded = findings.find((finding) => finding.kind === 'loaded');
  const unusable = findings.find((finding) => finding.kind === 'unusable');
  return {
    name: `load ${engine}`,
    ...{ value: loaded?.ms ?? null, unit: 'ms', floor: null, ratio: null, goal: 'reported', met: true },
    note: [
      loaded && `self-test included; ${loaded.megabytes.toFixed(0)} MB of memory`,
      unusable && `not usable: ${unusable.reason}`,
    ]
      .filter(Boolean)
      .join('; '),
  };
}

function stepOf(net: Net, engine: EngineName, found: ReadonlyMap<EngineName, readonly Finding[]>): Result[] {
  const of = (name: EngineName) =>
    found.get(name)?.find((finding) => finding.kind === 'net' && finding.net === net) as
      | Extract<Finding, { kind: 'net' }>
      | undefined;
  const here = of(engine);
  if (!here) return [];
  const native = engine === 'native' ? undefined : of('native');
  const ratio = native ? here.msPerStep / native.msPerStep : null;
  const bound = engine === 'wasm' ? GOALS[net] : undefined;
  return [
    {
      name: `train ${net} on ${engine}`,
      ...{ value: here.msPerStep, unit: 'ms/step', floor: native?.msPerStep ?? null, ratio },
      goal: goalOf(bound, ratio),
      met: bound === undefined || ratio === null || ratio <= bound,
      note: `${here.parameters.toLocaleString('en-US')} parameters, ${here.megabytes.toFixed(0)} MB of memory`,
    },
  ];
}

function goalOf(bound: number | undefined, ratio: number | null): string {
  if (bound === undefined) return 'reported';
  return ratio === null ? 'reported; native is not here to compare with' : `<= ${bound} x native`;
}

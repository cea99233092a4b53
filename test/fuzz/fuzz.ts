/** One campaign: the corpus, then inputs that follow from the seed; and what must be true all the while and afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDice } from '../chaos/random.ts';
import { readCorpus } from './corpus.ts';
import { type House, openHouse } from './house.ts';
import type { FuzzOptions } from './options.ts';
import { smaller } from './smaller.ts';
import { complaintAboutThrown, type Json, type Target } from './target.ts';
import { decoderTarget } from './targets/decoders.ts';
import { handshakeTarget } from './targets/handshake.ts';
import { httpTarget } from './targets/http.ts';
import { roundTarget } from './targets/round.ts';
import { sessionTarget } from './targets/session.ts';

export interface Finding {
  readonly target: string;
  readonly what: string;
  /** Null for what no single input shows: a leak, a disturbed client. */
  readonly input: Json;
  readonly seed: number;
}

export interface FuzzReport {
  readonly seed: number;
  readonly seconds: number;
  /** Inputs by target, those of the corpus included. */
  readonly played: Readonly<Record<string, number>>;
  readonly cases: number;
  /** Rounds that the honest clients published meanwhile. */
  readonly rounds: number;
  /** MB and open files of the coordinator, after the first tenth and at the end. */
  readonly memory: { readonly before: number; readonly after: number };
  readonly files: { readonly before: number; readonly after: number };
  readonly findings: readonly Finding[];
  readonly held: boolean;
}

/** A heap that was never full is not collected; what leaks grows beyond that. */
const MOST_GROWTH_MB = 120;
const MOST_FILES = 10;
/** No case takes so long, not even one that is read later because it floods: milliseconds. */
const HANGS_MS = 60_000;
const MOST_FINDINGS = 10;
/** Most of a case is waiting; the next input follows from the seed, whoever is ready for it. */
const AT_ONCE = 6;
/** Without a round of the honest clients for so long, they are disturbed: milliseconds. */
const HONEST_MS = 15_000;

export async function fuzz(options: FuzzOptions, progress: (text: string) => void): Promise<FuzzReport> {
  const { seed } = options;
  const folder = mkdtempSync(join(tmpdir(), 'tributary-fuzz-'));
  const findings: Finding[] = [];
  const played: Record<string, number> = {};
  const find = (target: string, what: string, input: Json = null) => {
    if (findings.length < MOST_FINDINGS) findings.push({ target, what, input, seed });
  };
  const own = watchOwnProcess((what) => find('this process', what));
  const house = await openHouse(folder, options.cases < 1000 ? 'few' : 'many');
  const round = await roundTarget(folder);
  const targets: Target[] = [
    decoderTarget(folder),
    await httpTarget(house),
    handshakeTarget(house),
    sessionTarget(house),
    round,
  ].filter(({ name }) => options.only === null || name === options.only);

  async function play(target: Target, input: Json): Promise<string | null> {
    played[target.name] = (played[target.name] ?? 0) + 1;
    const what = await Promise.race([
      target.play(input).catch((thrown) => complaintAboutThrown(thrown)),
      sleep(HANGS_MS, 'it hangs', { ref: false }),
    ]);
    return what ?? newFault();
  }
  let told = 0;
  const newFault = (): string | null => {
    const faults = house.faults();
    return told < faults.length ? faults[told++]! : null;
  };
  async function judge(target: Target, input: Json): Promise<void> {
    const what = await play(target, input);
    if (what === null || findings.length >= MOST_FINDINGS) return;
    if (what === 'it hangs') return find(target.name, what, input);
    const kind = what.slice(0, 30);
    const least = await smaller(input, async (less) => (await play(target, less))?.startsWith(kind) ?? false);
    find(target.name, what, least);
  }

  const begun = Date.now();
  try {
    await house.control.another(HONEST_MS);
    for (const { target: name, input } of readCorpus()) {
      const target = targets.find((one) => one.name === name);
      if (target) await judge(target, input);
    }
    const dice = createDice(seed);
    let before = house.measure();
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < options.cases && findings.length < MOST_FINDINGS && house.alive()) {
        if (Date.now() - begun > options.seconds * 1000) return;
        const i = next++;
        const target = pickByShare(targets, dice.next());
        await judge(target, target.generate(dice));
        if (i === Math.floor(options.cases / 10)) before = house.measure();
        if (i % 100 !== 0) continue;
        await watchOver(house, find);
        progress(
          `case ${i} of ${options.cases}, ${house.control.rounds()} honest rounds, ${findings.length} findings`,
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    // Nothing is left under way: sockets close, buffers are given back.
    await sleep(Math.min(5000, options.seconds * 25));
    await house.control.another(HONEST_MS).catch((error) => find('the honest', error.message));
    const after = house.measure();
    if (after.rss - before.rss > MOST_GROWTH_MB) find('memory', `${before.rss} MB became ${after.rss} MB`);
    if (after.files - before.files > MOST_FILES)
      find('files', `${before.files} open files became ${after.files}`);
    for (let fault = newFault(); fault; fault = newFault()) find('coordinator', fault);
    own.check();
    const cases = Object.values(played).reduce((sum, count) => sum + count, 0);
    return {
      ...{ seed, seconds: (Date.now() - begun) / 1000, played, cases, findings, held: findings.length === 0 },
      rounds: house.control.rounds(),
      memory: { before: before.rss, after: after.rss },
      files: { before: before.files, after: after.files },
    };
  } finally {
    await round.close();
    await house.close();
    own.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param at from 0 up to 1 */
function pickByShare(targets: readonly Target[], at: number): Target {
  let left = at * targets.reduce((sum, { share }) => sum + share, 0);
  for (const target of targets) {
    left -= target.share;
    if (left < 0) return target;
  }
  return targets[0]!;
}

async function watchOver(house: House, find: (target: string, what: string) => void): Promise<void> {
  await house.refresh();
  await house.control.another(HONEST_MS).catch((error) => find('the honest', error.message));
}

/** The client's code runs here: nothing that it does not catch, and no prototype that it changes. */
function watchOwnProcess(find: (what: string) => void) {
  const onError = (thrown: unknown) =>
    find(`not caught: ${thrown instanceof Error ? thrown.stack?.slice(0, 1000) : String(thrown)}`);
  process.on('unhandledRejection', onError).on('uncaughtException', onError);
  const prototypes = [Object.prototype, Array.prototype, Function.prototype];
  const names = prototypes.map((one) => Object.getOwnPropertyNames(one).join());
  return {
    check() {
      for (const [at, one] of prototypes.entries())
        if (Object.getOwnPropertyNames(one).join() !== names[at]) find('a prototype was changed');
    },
    stop() {
      process.off('unhandledRejection', onError).off('uncaughtException', onError);
    },
  };
}

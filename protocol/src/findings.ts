/** What a doctor finds: one shape for `tributary doctor` and `tributary-server doctor`, on the screen and with `--json`. */
import { TributaryError } from './errors.ts';

/** `warning`: works now, but not as it should. `failed`: does not work before the remedy is done. */
export type Finding =
  | { readonly check: string; readonly level: 'ok'; readonly message: string }
  | {
      readonly check: string;
      readonly level: 'warning' | 'failed';
      readonly message: string;
      /** The next thing to do. */
      readonly remedy: string;
    };

export type FindingLevel = Finding['level'];

export interface Check {
  readonly name: string;
  /** Whatever it throws becomes a finding too. */
  run(): Promise<readonly Finding[]>;
  /** Milliseconds, instead of the doctor's own limit. */
  readonly limitMs?: number;
}

export const fine = (check: string, message: string): Finding => ({ check, level: 'ok', message });
export const warning = (check: string, message: string, remedy: string): Finding => ({
  ...{ check, level: 'warning', message, remedy },
});
export const failed = (check: string, message: string, remedy: string): Finding => ({
  ...{ check, level: 'failed', message, remedy },
});

/** What was thrown, as a finding. Text of unknown faults is not shown: it may hold secrets. */
export function failedBy(check: string, thrown: unknown): Finding {
  if (thrown instanceof TributaryError) return failed(check, thrown.message, thrown.remedy);
  const code = (thrown as { code?: unknown } | null)?.code;
  const why = typeof code === 'string' ? ` (${code})` : '';
  return failed(check, `This check itself broke${why}.`, 'Try again; if it stays, report it.');
}

/** All at once, each for a limited time: a doctor that hangs helps nobody. @returns findings in the order of the checks */
export async function runChecks(checks: readonly Check[], limitMs: number): Promise<Finding[]> {
  const found = await Promise.all(checks.map((check) => within(check, check.limitMs ?? limitMs)));
  return found.flat();
}

async function within({ name, run }: Check, limitMs: number): Promise<readonly Finding[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<readonly Finding[]>((resolve) => {
    const message = `No answer within ${limitMs / 1000} s.`;
    const finding = failed(name, message, 'Try again when this machine or the network has less to do.');
    timer = setTimeout(() => resolve([finding]), limitMs);
  });
  try {
    return await Promise.race([run(), late]);
  } catch (thrown) {
    return [failedBy(name, thrown)];
  } finally {
    clearTimeout(timer);
  }
}

export interface FindingSummary {
  readonly ok: number;
  readonly warnings: number;
  readonly failed: number;
  /** One sentence. */
  readonly text: string;
}

export function summarise(findings: readonly Finding[]): FindingSummary {
  const count = (level: FindingLevel) => findings.filter((finding) => finding.level === level).length;
  const [ok, warnings, wrong] = [count('ok'), count('warning'), count('failed')];
  const verdict =
    wrong > 0 ? 'Something is wrong' : warnings > 0 ? 'It works; see the warnings' : 'All is well';
  const numbers = `${ok} ok, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}, ${wrong} failed`;
  return { ok, warnings, failed: wrong, text: `${verdict}: ${numbers}.` };
}

/** One line per finding under a mark, remedies indented beneath. */
export function findingLines(findings: readonly Finding[], marks: Record<FindingLevel, string>): string[] {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  return findings.flatMap((finding) => {
    const line = `${marks[finding.level]} ${finding.check.padEnd(width)}  ${finding.message}`;
    return finding.level === 'ok' ? [line] : [line, `${' '.repeat(width + 6)}${finding.remedy}`];
  });
}

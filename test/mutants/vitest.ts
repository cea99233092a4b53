/** Runs chosen tests in a copy of the sources. */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** One test as vitest's JSON reporter tells of it. */
export interface TestResult {
  readonly fullName: string;
  readonly status: 'passed' | 'failed' | 'skipped' | 'pending' | 'todo';
  readonly failureMessages: readonly string[];
}

export interface FileResult {
  /** From the root of the copy. */
  readonly file: string;
  /** Only those that ran. */
  readonly tests: readonly TestResult[];
  /** Why the file could not be loaded, or empty. */
  readonly message: string;
}

/** A test that never ends was stopped by the change, too, but not by an expectation: milliseconds. */
const HANGS_MS = 120_000;

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly TestResult[];
  }[];
}

/** @param names parts of titles @returns null when vitest did not end, or wrote nothing @throws AbortError */
export async function runTests(
  folder: string,
  files: readonly string[],
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly FileResult[] | null> {
  const output = join(folder, 'result.json');
  rmSync(output, { force: true });
  const pattern = [...new Set(names)].map(escaped).join('|');
  const vitest = join(folder, 'node_modules/vitest/vitest.mjs');
  const args = ['run', ...new Set(files), '-t', pattern, '--reporter=json', `--outputFile=${output}`];
  await new Promise<void>((resolve, reject) => {
    const child = spawn(process.execPath, [vitest, ...args], {
      cwd: folder,
      // What tests leave when they are killed goes with the copy.
      env: { ...process.env, TMPDIR: folder },
      stdio: 'ignore',
      timeout: HANGS_MS,
      killSignal: 'SIGKILL',
      signal,
    });
    child.once('error', (error) => signal.aborted || reject(error));
    // Not before it is gone: the folder goes next.
    child.once('close', () => (signal.aborted ? reject(signal.reason) : resolve()));
  });
  const report = readReport(output);
  if (!report) return null;
  return report.testResults.map(({ name, message, assertionResults }) => ({
    file: name.slice(name.indexOf(folder) + folder.length + 1),
    message,
    tests: assertionResults.filter(({ status }) => status === 'passed' || status === 'failed'),
  }));
}

function readReport(path: string): Report | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

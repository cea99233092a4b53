/** Child processes of tests and benches, with their CPU time and memory from the kernel. */
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Process {
  readonly pid: number;
  /** The next line that it prints. */
  line(): Promise<string>;
  send(line: string): void;
  /** SIGTERM unless said otherwise; resolves when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** @param log file that takes its standard error, which is shown otherwise */
export function start(script: string, args: readonly string[], log?: string): Process {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['pipe', 'pipe', log ? 'pipe' : 'inherit'],
  });
  if (log) child.stderr?.pipe(createWriteStream(log, { flags: 'a' }));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid: child.pid!,
    async line() {
      const next = await lines.next();
      if (next.done) throw new Error(`${script} ended early.`);
      return next.value;
    },
    send: (line) => child.stdin?.write(`${line}\n`),
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await ended;
    },
  };
}

export interface CoordinatorProcess extends Process {
  readonly url: string;
  readonly key: string;
  /** Null when the folder is from an earlier start. */
  readonly adminToken: string | null;
}

/**
 * @param more options of `tributary-server start`
 * @param log file for its errors, where they are what is wanted
 */
export async function startCoordinator(
  folder: string,
  port = 0,
  more: readonly string[] = [],
  log?: string,
): Promise<CoordinatorProcess> {
  const script = fileURLToPath(
    new URL('../bin/tributary-server.js', import.meta.resolve('@tributary/server')),
  );
  const args = ['start', '--data', folder, '--port', String(port), '--json', '--log-level', 'error', ...more];
  const child = start(script, args, log);
  return { ...child, ...JSON.parse(await child.line()) };
}

/** User and system seconds of a process with all its threads (proc(5); ticks of 10 ms). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** MB. */
export function residentNow(pid: number): number {
  return memoryField(pid, 'VmRSS');
}

/** Highest RSS since the last `resetPeak`, MB. */
export function residentPeak(pid: number): number {
  return memoryField(pid, 'VmHWM');
}

export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function memoryField(pid: number, field: string): number {
  const match = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) / 1024;
}

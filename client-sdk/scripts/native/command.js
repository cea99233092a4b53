/** Programs that are run, and failures that name their remedy. */
import { spawn } from 'node:child_process';

export class Failure extends Error {
  /**
   * @param {string} message
   * @param {string} remedy the next thing to do
   * @param {string} [details] the last lines that a program printed
   */
  constructor(message, remedy, details = '') {
    super(message);
    this.remedy = remedy;
    this.details = details;
  }
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** Ends what is running, when the whole command is interrupted. */
export function stopCommands() {
  for (const child of running) child.kill('SIGKILL');
}

/**
 * @param {readonly string[]} command program and arguments
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeout?: number }} [options] timeout in seconds
 * @returns {Promise<{ ok: boolean, output: string, stdout: string }>} never rejects: a missing program is not ok
 */
export function run([program = '', ...args], { cwd, env, timeout = 1800 } = {}) {
  return new Promise((done) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env } });
    running.add(child);
    // Not spawn's own timeout: it keeps the process waiting for a program that was not found.
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout * 1000);
    let output = '';
    let stdout = '';
    child.stdout.on('data', (text) => {
      output += text;
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      output += text;
    });
    const end = (/** @type {boolean} */ ok) => {
      running.delete(child);
      clearTimeout(timer);
      done({ ok, output, stdout });
    };
    child.on('error', (error) => {
      output += error.message;
      end(false);
    });
    child.on('close', (code) => end(code === 0));
  });
}

/**
 * The end of what a program printed, without the user names and passwords that addresses may carry.
 * @param {string} output
 */
export const tail = (output) =>
  output
    .replace(/(\w+:\/\/)[^/\s@]+@/g, '$1')
    .trimEnd()
    .split('\n')
    .slice(-12)
    .join('\n');

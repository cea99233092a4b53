/** A headless Chromium with an empty profile, that talks to nobody but the page's own server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const REMEDY = 'Install a browser (Debian: apt-get install chromium), or name it in CHROMIUM.';
const FLAGS = [
  '--headless',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Browser {
  /** Rejects when it ends by itself. */
  readonly failed: Promise<never>;
  /** What it has written so far, for a failure. */
  words(): string;
  stop(): Promise<void>;
}

export async function startBrowser(url: string): Promise<Browser> {
  const program = find();
  const profile = mkdtempSync(join(tmpdir(), 'tributary-browser-'));
  // Chromium's sandbox refuses root.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const child = spawn(program, [...FLAGS, ...sandbox, `--user-data-dir=${profile}`, url], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // What it leaves behind when it is killed.
    env: { ...process.env, TMPDIR: profile },
    // A process group of its own: renderers outlive the browser, and write into the profile.
    detached: true,
  });
  let words = '';
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    words = (words + text).slice(-4000);
  });
  const failed = new Promise<never>((_, reject) => {
    child.once('error', ({ message }) => reject(new Error(`${message}. ${REMEDY}`)));
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}.\n${words}`)));
  });
  failed.catch(() => {});
  return {
    failed,
    words: () => words,
    async stop() {
      await ended(child);
      rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    process.kill(-pid, 'SIGKILL');
  });
}

function find(): string {
  const { CHROMIUM, PATH = '' } = process.env;
  if (CHROMIUM) return CHROMIUM;
  for (const name of NAMES)
    for (const folder of PATH.split(delimiter)) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // The next one.
      }
    }
  throw new Error(`There is no ${NAMES.join(', ')} on the PATH. ${REMEDY}`);
}

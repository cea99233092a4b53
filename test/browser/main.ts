/** `npm run browser`: the protocol in a real browser gives the known answers. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { asTributaryError } from '@tributary/protocol';
import { type OutputChunk, rolldown } from 'rolldown';
import { UsageError } from '../support/usage-error.ts';
import { startBrowser } from './chromium.ts';

const HELP = `npm run browser -- [options]

Bundles the protocol for a browser, which fails when it needs anything of Node, and lets a headless Chromium work out the
known answers of protocol/vectors: identities, signatures, masks and a whole secure sum. Exit code 1 when one is wrong.

  --json         one JSON object on standard output

The browser is CHROMIUM, or else chromium, chromium-browser or google-chrome on the PATH.

Examples

  npm run browser
  CHROMIUM=/opt/chrome/chrome npm run browser -- --json
`;

/** The page needs a few seconds; milliseconds. */
const LIMIT_MS = 120_000;
const PAGE =
  '<!doctype html><meta charset="utf-8"><title>Tributary</title><script type="module" src="/page.js"></script>';
// Both lie beside the folder that this is compiled into.
const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

interface Result {
  readonly agent: string;
  readonly checks: readonly { name: string; ok: boolean; ms: number; detail: string | null }[];
}

async function bundle(): Promise<string> {
  const faults: string[] = [];
  const built = await rolldown({
    input: pathOf('browser/page.js'),
    platform: 'browser',
    onLog: (_, { message }) => void faults.push(stripVTControlCharacters(message).split('\n', 1)[0]!),
  });
  const { output } = await built.generate({ format: 'esm' });
  await built.close();
  if (faults.length > 0) throw new Error(`The protocol does not fit a browser.\n${faults.join('\n')}`);
  return (output[0] as OutputChunk).code;
}

async function main(argv: readonly string[]): Promise<number> {
  const json = parse(argv);
  if (json === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const script = await bundle();
  const result = await resultOf(script);
  if (json) process.stdout.write(`${JSON.stringify({ ...result, bytes: script.length })}\n`);
  else {
    process.stdout.write(`${result.agent}\n${Math.ceil(script.length / 1024)} KiB of script\n`);
    for (const { name, ok, ms, detail } of result.checks)
      process.stdout.write(
        `${name.padEnd(9)} ${ok ? `as known, ${ms.toFixed(0)} ms` : `WRONG: ${detail}`}\n`,
      );
  }
  return result.checks.length > 0 && result.checks.every(({ ok }) => ok) ? 0 : 1;
}

function parse(argv: readonly string[]): boolean | 'help' {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({ args: [...argv], options: { json: flag, help: flag } });
    return values.help ? 'help' : values.json;
  } catch (thrown) {
    throw new UsageError((thrown as Error).message, 'npm run browser -- --help');
  }
}

/** Serves the page, opens it, and waits for what it posts. */
async function resultOf(script: string): Promise<Result> {
  let deliver = (_: Result): void => {};
  const posted = new Promise<Result>((resolve) => {
    deliver = resolve;
  });
  const server = createServer(async (request, response) => {
    const { url = '/' } = request;
    if (request.method === 'POST' && url === '/result') {
      let text = '';
      for await (const chunk of request) text += chunk;
      response.end();
      deliver(JSON.parse(text) as Result);
    } else if (url === '/') response.setHeader('content-type', 'text/html').end(PAGE);
    else if (url === '/page.js') response.setHeader('content-type', 'text/javascript').end(script);
    else if (/^\/vectors\/[a-z]+\.json$/.test(url))
      response.end(await readFile(pathOf(`../protocol${url}`)).catch(() => 'null'));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await startBrowser(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    const words = () => `The page said nothing for ${LIMIT_MS / 1000} s.\n${browser.words()}`;
    timer = setTimeout(() => reject(new Error(words())), LIMIT_MS);
  });
  try {
    return await Promise.race([posted, browser.failed, silence]);
  } finally {
    clearTimeout(timer);
    await browser.stop();
    server.closeAllConnections();
    server.close();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const { message, remedy } = asTributaryError(thrown);
  process.stderr.write(
    thrown instanceof UsageError ? `${message}\n${remedy}\n` : `${(thrown as Error).message}\n`,
  );
  process.exitCode = thrown instanceof UsageError ? 2 : 1;
}

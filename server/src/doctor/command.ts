/** `tributary-server doctor`: what is wrong here, and what to do about it. */
import { resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { findingLines, summarise } from '@tributary/protocol';
import { defineCommand } from 'citty';
import { portOf, refuseUnknown } from '../cli/usage.ts';
import { examine } from './examine.ts';

const ARGS = {
  data: { type: 'string', description: 'Data folder; left out, the machine alone is checked' },
  port: { type: 'string', default: '8080', description: 'Port to listen on' },
  host: { type: 'string', default: '127.0.0.1', description: 'Address to listen on' },
  json: { type: 'boolean', default: false, description: 'Print one JSON object instead of text' },
} as const;

interface DoctorOptions {
  readonly data: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly json: boolean;
}

const MARKS = { ok: ' ok ', warning: 'warn', failed: 'FAIL' };

/** Prints to standard output. @returns the exit code: 1 when something failed */
async function runDoctor({ data, host, port, json }: DoctorOptions): Promise<0 | 1> {
  const folder = data === undefined ? undefined : resolve(data);
  const findings = await examine({ folder, host, port });
  const { text, ...counts } = summarise(findings);
  const lines = [...findingLines(findings, MARKS), '', text].map(stripVTControlCharacters);
  process.stdout.write(json ? `${JSON.stringify({ ...counts, findings })}\n` : `${lines.join('\n')}\n`);
  return counts.failed > 0 ? 1 : 0;
}

export const doctor = defineCommand({
  meta: { name: 'doctor', description: 'Check machine and data folder; each finding has a remedy.' },
  args: ARGS,
  async run({ args, rawArgs }) {
    refuseUnknown(rawArgs, ARGS, args);
    process.exitCode = await runDoctor({ ...args, data: args.data, port: portOf(args.port) });
  },
});

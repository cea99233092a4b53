/** What `--help` prints: usage, the examples of the command, and what the exit codes mean. */
import { stripVTControlCharacters } from 'node:util';
import { type CommandDef, renderUsage } from 'citty';

const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  start: [
    'start --data ./coordinator --port 8080',
    'start --data ./coordinator --encrypt-blobs ./blobs.key',
    'start --data ./coordinator --new-admin-token',
    `start --data /var/lib/tributary --host 0.0.0.0 --port 443 --tls-cert chain.pem --tls-key key.pem \\
      --public-url https://fl.example.org --admin-port 8443`,
  ],
  doctor: ['doctor --data ./coordinator', 'doctor --data ./coordinator --json'],
  backup: ['backup --data ./coordinator --out ./backups/monday'],
  restore: [
    'restore --from ./backups/monday --data ./coordinator-2',
    'restore --from ./backups/plain --data ./encrypted --encrypt-blobs ./blobs.key',
    'restore --in-place --data ./from-a-disk-image',
  ],
  check: ['check --data ./coordinator', 'check --data ./backups/monday --json'],
  'rotate-key': ['rotate-key --data ./coordinator'],
  'new-key': ['new-key ./blobs.key'],
};

const EXIT_CODES = '0 ok   1 failed, or doctor or check found a failure   2 wrong usage';

/** @param command the program itself for its own help */
export async function helpOf(
  program: CommandDef,
  command: CommandDef,
  name = '',
  colours = false,
): Promise<string> {
  const usage = await (command === program ? renderUsage(program) : renderUsage(command, program));
  const examples = EXAMPLES[name] ?? Object.values(EXAMPLES).flat();
  const text = [
    usage.trimEnd(),
    '\nEXAMPLES\n',
    ...examples.map((line) => `  tributary-server ${line}`),
    `\nEXIT CODES\n\n  ${EXIT_CODES}`,
  ].join('\n');
  return `${(colours ? text : stripVTControlCharacters(text)).replace(/[ \t]+$/gm, '')}\n`;
}

/** The text behind `--help`: usage, options, examples, and at the root exit codes and environment. */
import type { ArgDef, ArgsDef } from 'citty';
import { COMMON_ARGS, type Command, type Group } from './command.ts';
import { EXIT_MEANINGS } from './exit-codes.ts';
import type { Colors } from './io.ts';

type Row = readonly [string, string];

/** @param path words that lead to `target`, its own name excluded */
export function renderHelp(target: Command | Group, path: readonly string[], colors: Colors): string {
  const words = [...path, target.name].join(' ');
  const heading = (text: string) => colors.bold(text);
  const section = (title: string, rows: readonly Row[]) =>
    rows.length > 0 ? [`${heading(title)}\n${columns(rows, colors)}`] : [];
  const { usage, sections } = target.kind === 'group' ? groupHelp(target) : commandHelp(target);
  const examples = target.examples.map(
    ({ line, does }) => `  ${colors.dim(`# ${does}`)}\n  ${colors.cyan(`tributary ${line}`)}`,
  );
  const parts = [
    target.description,
    `${heading('Usage:')} ${words}${usage}`,
    ...sections.flatMap(([title, rows]) => section(title, rows)),
    `${heading('Examples:')}\n${examples.join('\n\n')}`,
  ];
  if (path.length === 0) {
    parts.push(
      ...section(
        'Exit codes:',
        EXIT_MEANINGS.map(([code, meaning]) => [String(code), meaning]),
      ),
    );
    parts.push(...section('Environment:', ENVIRONMENT));
  }
  if (target.kind === 'group') parts.push(`\`${words} COMMAND --help\` tells more about a command.`);
  return `${parts.join('\n\n')}\n`;
}

type Sections = { usage: string; sections: [string, Row[]][] };

function groupHelp({ commands }: Group): Sections {
  const rows: Row[] = commands.map(({ name, description }) => [name, description]);
  return {
    usage: ' COMMAND [OPTIONS]',
    sections: [
      ['Commands:', rows],
      ['Options:', options(COMMON_ARGS)],
    ],
  };
}

function commandHelp({ args, takesRest }: Command): Sections {
  const positional = Object.entries(args).filter(([, definition]) => definition.type === 'positional');
  const names = positional.map(([name, definition]) => {
    const word = `${definition.valueHint ?? name.toUpperCase()}${takesRest ? '...' : ''}`;
    return definition.required === false ? `[${word}]` : word;
  });
  const required = Object.entries(args)
    .filter(([, definition]) => definition.type === 'string' && definition.required)
    .map(([name, definition]) => `--${name} ${definition.valueHint ?? name.toUpperCase()}`);
  return {
    usage: ['', ...names, ...required, '[OPTIONS]'].join(' '),
    sections: [
      ['Arguments:', positional.map(([, definition], at) => [names[at]!, definition.description ?? ''])],
      ['Options:', options(args)],
    ],
  };
}

function options(args: ArgsDef): Row[] {
  return Object.entries(args)
    .filter(([, definition]) => definition.type !== 'positional')
    .map(([name, definition]) => [optionName(name, definition), optionText(definition)]);
}

function optionName(name: string, definition: ArgDef): string {
  const short = 'alias' in definition && definition.alias ? `-${definition.alias}, ` : '';
  const value = definition.type === 'boolean' ? '' : ` ${definition.valueHint ?? name.toUpperCase()}`;
  return `${short}--${name}${value}`;
}

function optionText({ description = '', default: given }: ArgDef): string {
  return given === undefined ? description : `${description} (${given} unless given)`;
}

function columns(rows: readonly Row[], colors: Colors): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${colors.cyan(left.padEnd(width))}  ${right}`).join('\n');
}

const ENVIRONMENT: readonly Row[] = [
  ['TRIBUTARY_URL', 'coordinator to use instead of the one logged in to'],
  ['TRIBUTARY_TOKEN', 'token to use instead of the stored one'],
  ['TRIBUTARY_PASSPHRASE', "passphrase of the node's key; --passphrase-file is safer"],
  ['TRIBUTARY_DEBUG=1', 'show where in the program an error arose'],
  ['HTTPS_PROXY, NO_PROXY', 'proxy to reach the coordinator through, and hosts to reach without'],
  ['NODE_EXTRA_CA_CERTS', 'file of an own certificate authority'],
  ['NO_COLOR=1', 'no colours'],
  ['XDG_CONFIG_HOME', 'folder for credentials instead of ~/.config'],
];

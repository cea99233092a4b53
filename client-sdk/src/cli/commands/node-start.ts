/** Taking part until Ctrl-C. */
import { fingerprint, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { FederatedClient } from '../../client.ts';
import { dataFinding } from '../../doctor/node-file.ts';
import type { NodeConfig } from '../../node/config.ts';
import type { Move } from '../../node/moves.ts';
import type { SessionEvent } from '../../session/index.ts';
import { ENGINE_CHOICES } from '../../trainer/engine/names.ts';
import { bar, createScreen } from '../bars.ts';
import { choice, command } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { type AcceptedBy, nodeEventJson, nodeEventWords, rotatedJson, rotatedWords } from '../node-words.ts';
import { clock, fields, note, warn } from '../output.ts';
import { printable } from '../printable.ts';
import { readPassphrase } from '../secrets.ts';
import { KEY_ARGS, readConfig } from './node-shared.ts';

export const start = command({
  name: 'start',
  description: 'Take part in the runs that the policy allows, until Ctrl-C',
  examples: [
    { line: 'node start --config node.yaml', does: 'asks for the passphrase, then one line per event' },
    {
      line: 'node start --config node.yaml --json --passphrase-file FILE',
      does: 'as a service: one JSON object per line',
    },
  ],
  args: {
    ...KEY_ARGS,
    engine: {
      type: 'string',
      valueHint: ENGINE_CHOICES.join('|'),
      description: 'What trains, instead of `engine` in node.yaml: auto takes native, else wasm; never cpu',
    },
  },
  async run(context, args) {
    const { io } = context;
    const file = await readConfig(args.config);
    const engine = args.engine === undefined ? file.engine : choice(args.engine, '--engine', ENGINE_CHOICES);
    const config = { ...file, engine };
    if (args.engine !== undefined && file.trainer)
      throw new TributaryError(
        'malformed',
        `--engine is of the built-in trainer; ${args.config} names its own.`,
        {
          remedy: 'Leave --engine out, or take `trainer` out of node.yaml.',
        },
      );
    await requireRows(context, config);
    const question = `Passphrase of the key of ${config.name}`;
    const passphrase = await readPassphrase(context, args['passphrase-file'], question, { twice: false });
    note(context, 'Starting the training engine ...');
    const { startNode } = await import('../../node/start.ts');
    const view = createView(context, args.config);
    const finals: TributaryError[] = [];
    let wake = () => {};
    const ended = new Promise<void>((resolve) => {
      wake = resolve;
    });
    io.interrupted.addEventListener('abort', wake, { once: true });
    const node = await startNode({
      config,
      passphrase,
      allowInsecure: args['allow-insecure'],
      onTrainerLog: view.trainer,
      onRotated: (move, followed) => view.rotated(move, followed ? 'policy' : null),
      onCoordinatorRotated: ({ key, former, time }, by) =>
        view.rotated({ name: 'coordinator', old: former[0] ?? '', key, time }, by),
      prepare: (client) => {
        listen(client, view.event);
        client.on('disconnected', ({ code, message, remedy, final }) => {
          if (final) finals.push(new TributaryError(code, message, { remedy }));
          if (final) wake();
        });
      },
    });
    view.started({
      name: config.name,
      role: config.enrolment.role,
      key: node.client.id,
      fingerprint: fingerprint(nodeCrypto, node.client.id),
      coordinator: config.enrolment.url,
      engine: node.engine,
      speed: node.speed,
      remarks: node.remarks,
    });
    try {
      if (!io.interrupted.aborted) await Promise.race([ended, node.connected.then(() => ended)]);
    } finally {
      view.end();
      await node.close();
    }
    if (finals[0]) throw finals[0];
    view.left();
    return EXIT.ok;
  },
});

/** Without its data a node would look well until a round fails. @throws data-invalid */
async function requireRows(context: Context, config: NodeConfig): Promise<void> {
  const finding = await dataFinding(config);
  if (finding.level === 'ok') return;
  const { level, message, remedy } = finding;
  // A program of the owner's may find its rows elsewhere.
  if (level === 'warning' || config.trainer) return warn(context, `${message} ${remedy}`);
  throw new TributaryError('data-invalid', message, { remedy });
}

/** Every event of a client, by one listener. The list is checked: a new event must be added here. */
function listen(client: FederatedClient, listener: (event: SessionEvent) => void): void {
  const types: { readonly [T in SessionEvent['type']]: true } = {
    connected: true,
    members: true,
    disconnected: true,
    proposal: true,
    consent: true,
    refused: true,
    announced: true,
    progress: true,
    roster: true,
    cohort: true,
    uploading: true,
    uploaded: true,
    survivors: true,
    unmasked: true,
    published: true,
    abandoned: true,
    evaluated: true,
    'run-ended': true,
    warning: true,
  };
  for (const type of Object.keys(types) as SessionEvent['type'][])
    client.on(type, (event) => listener({ type, ...event } as SessionEvent));
}

interface Started {
  readonly name: string;
  readonly role: string;
  readonly key: string;
  readonly fingerprint: string;
  readonly coordinator: string;
  readonly engine: string;
  readonly speed: string;
  readonly remarks: readonly string[];
}

interface View {
  started(facts: Started): void;
  event(event: SessionEvent): void;
  /** A partner, or the coordinator, has a new key. */
  rotated(move: Move, by: AcceptedBy): void;
  /** A line of the owner's own trainer. */
  trainer(line: string): void;
  end(): void;
  left(): void;
}

function createView(context: Context, config: string): View {
  const { io, json } = context;
  const screen = createScreen(io);
  let twentieths = -1;
  let advised = '';
  /** The same remedy once, however often the node tries again. */
  const advising = (event: SessionEvent): SessionEvent => {
    if (event.type === 'connected') advised = '';
    if (event.type !== 'disconnected') return event;
    const known = event.remedy === advised;
    advised = event.remedy;
    return known ? { ...event, remedy: '' } : event;
  };
  /** Progress comes with every batch; a line for each would drown the rest. */
  const isNews = (done: number) => {
    const next = Math.floor(20 * done);
    if (next === twentieths) return false;
    twentieths = next;
    return true;
  };
  return {
    started(facts) {
      if (json)
        return io.out(
          `${JSON.stringify({ time: Date.now(), event: 'started', ...facts, pid: process.pid })}\n`,
        );
      io.out(
        fields(context, [
          ['node', `${facts.name} (${facts.role})`],
          ['own key', facts.fingerprint],
          ['coordinator', facts.coordinator],
          ['engine', `${facts.engine} (${facts.speed})`],
        ]),
      );
      for (const remark of facts.remarks) warn(context, remark);
    },
    event(event) {
      if (event.type === 'progress' && !isNews(event.done)) return;
      if (json) return io.out(`${nodeEventJson(event, Date.now())}\n`);
      if (event.type === 'progress')
        return screen.draw([`  training  ${bar(event.done)}  ${Math.round(100 * event.done)} %`]);
      screen.draw([]);
      const words = nodeEventWords(advising(event), config);
      if (words !== undefined) io.out(`${clock(Date.now())}  ${words}\n`);
    },
    rotated(move, by) {
      if (json) return io.out(`${rotatedJson(move, by, Date.now())}\n`);
      screen.draw([]);
      io.out(`${clock(Date.now())}  ${rotatedWords(move, by, config)}\n`);
    },
    trainer(message) {
      const time = Date.now();
      if (json) return io.out(`${JSON.stringify({ time, event: 'warning', code: 'trainer', message })}\n`);
      screen.draw([]);
      io.out(`${clock(time)}  note (trainer): ${printable(message)}\n`);
    },
    end: () => screen.draw([]),
    left: () =>
      json
        ? io.out(`${JSON.stringify({ time: Date.now(), event: 'left' })}\n`)
        : note(context, 'Left cleanly.'),
  };
}

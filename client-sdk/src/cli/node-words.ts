/** What a node does, in plain words: one line per event. */
import { fingerprint } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Move } from '../node/moves.ts';
import type { SessionEvent } from '../session/index.ts';
import { shellWord } from '../shell-word.ts';
import { plural } from './output.ts';
import { printable } from './printable.ts';

/** A coordinator may name thousands. */
const STRANGERS_SHOWN = 50;

/** @param config as the owner typed it, to be typed again. Undefined for events that are drawn and not told. */
export function nodeEventWords(event: SessionEvent, config: string): string | undefined {
  const words = tell(event, config);
  // Several lines, of names and fingerprints only.
  return words === undefined || event.type === 'connected' ? words : printable(words);
}

function tell(event: SessionEvent, config: string): string | undefined {
  const option = config === 'node.yaml' ? '' : ` --config ${shellWord(config)}`;
  switch (event.type) {
    case 'connected': {
      const { name, role, strangers } = event;
      const lines = strangers
        .slice(0, STRANGERS_SHOWN)
        .map(
          (member) =>
            `    ${member.name}  ${fingerprint(nodeCrypto, member.key)}  not accepted, does not count`,
        );
      const more = strangers.length - STRANGERS_SHOWN;
      if (more > 0) lines.push(`    and ${more} more: tributary node members list${option}`);
      const advice = `    compare by telephone, then: tributary node members accept NAME${option}`;
      return [`connected as ${role} ${name}`, ...lines, ...(lines.length > 0 ? [advice] : [])].join('\n');
    }
    case 'members':
      return undefined;
    case 'disconnected':
      return disconnectedWords(event, config);
    case 'proposal':
      return `run ${event.run} proposed: plan ${event.planHash.slice(0, 16)} "${event.plan.name}", ${verdictWords(event, option)}`;
    case 'consent':
      return `run ${event.run}: takes part`;
    case 'refused':
      return `${event.place ? where(event.place) : `run ${event.run}`}: refused (${event.code}): ${event.message}`;
    case 'announced':
      return `${where(event)}: training ${plural(event.plan.training.epochs, 'epoch')} on local data`;
    case 'progress':
      return undefined;
    case 'roster':
      return `${where(event)}: ${event.members.length} partners, ${event.threshold} must remain to unmask`;
    case 'cohort':
      return `${where(event)}: masking the update with ${event.members.length - 1} others`;
    case 'uploading':
      return `${where(event)}: sending ${megabytes(event.bytes)} of masked update`;
    case 'uploaded':
      return `${where(event)}: masked update sent`;
    case 'survivors':
      return `${where(event)}: ${event.members.length} partners are in the sum`;
    case 'unmasked':
      return `${where(event)}: helped to unmask the sum`;
    case 'published':
      return `run ${event.run}, round ${event.round}: new model ${event.model.slice(0, 16)}`;
    case 'abandoned':
      return `${where(event)}: given up (${event.code}): ${event.reason}`;
    case 'evaluated': {
      const metrics = Object.entries(event.metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
      const figures = [...metrics, `loss ${event.loss.toFixed(4)}`].join(', ');
      return `run ${event.run}, round ${event.round}: ${figures} on ${event.count} rows`;
    }
    case 'run-ended':
      return `run ${event.run} ${event.status}${event.reason ? `: ${event.reason}` : ''}`;
    case 'warning':
      return `note (${event.code}): ${event.message}`;
    default:
      return event satisfies never;
  }
}

/** Who put the new key in the old one's place; null: nobody yet. */
export type AcceptedBy = 'policy' | 'owner' | null;

/** @param config as the owner typed it */
export function rotatedWords({ name, old, key, time }: Move, by: AcceptedBy, config: string): string {
  const [before, after] = [old, key].map((each) => fingerprint(nodeCrypto, each));
  const what = `${name} has key ${after} since ${new Date(time).toISOString()}, signed by the accepted key ${before}`;
  const option = config === 'node.yaml' ? '' : ` --config ${shellWord(config)}`;
  const advice =
    'rotation is ask, so it does not count; a thief could have signed too. ' +
    `Ask ${name} by telephone, then: tributary node members accept ${name}${option}`;
  const told = { policy: 'accepted in its place (rotation: follow)', owner: 'accepted in its place by you' };
  return printable(`${what}: ${by === null ? advice : told[by]}`);
}

export function rotatedJson({ time: since, ...move }: Move, by: AcceptedBy, time: number): string {
  return JSON.stringify({ time, event: 'rotated', ...move, since, followed: by === 'policy', accepted: by });
}

/** The remedy of what ends a node is the last line that it prints; messages may hold theirs already. */
function disconnectedWords(
  { code, message, remedy, final }: Extract<SessionEvent, { type: 'disconnected' }>,
  config: string,
): string {
  const what = `disconnected (${code}): ${withConfig(message, config)}`;
  if (final) return what;
  const advice = message.includes('`tributary ') || remedy === '' ? [] : [withConfig(remedy, config)];
  return [what, ...advice, 'Trying again.'].join(' ');
}

/** Commands that core parts name do not know which node.yaml the owner has typed. */
function withConfig(text: string, config: string): string {
  if (config === 'node.yaml') return text;
  return text.replace(
    /`(tributary node trust [0-9a-f-]+)`/g,
    (_, line) => `\`${line} --config ${shellWord(config)}\``,
  );
}

function where({ run, round, attempt }: { run: string; round: number; attempt: number }): string {
  return `run ${run}, round ${round}${attempt > 1 ? `, attempt ${attempt}` : ''}`;
}

function verdictWords(event: Extract<SessionEvent, { type: 'proposal' }>, option: string): string {
  switch (event.verdict.verdict) {
    case 'allow':
      return 'allowed by the policy';
    case 'ask':
      return `waits for your word: tributary node pending${option}`;
    case 'refuse':
      return `refused: ${event.verdict.message}`;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The plan whole would make every line long; its hash names it, and `node pending --json` shows it. */
export function nodeEventJson({ type, ...rest }: SessionEvent, time: number): string {
  const body = 'plan' in rest ? { ...rest, plan: rest.plan.name } : rest;
  return JSON.stringify({ time, event: type, ...body });
}

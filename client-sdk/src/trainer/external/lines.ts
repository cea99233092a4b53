/** What a program writes, as lines: every one bounded, so that a program cannot fill the node's memory. */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { LIMITS } from '@tributary/protocol';
import { misbehaved, TRAINER_LIMITS } from './messages.ts';

const NEWLINE = 0x0a;

/** Calls `each` with every line of standard output, and `fault` once, for the first line that is none of ours. */
export function readLines(
  stream: Readable,
  each: (line: string) => void,
  fault: (error: unknown) => void,
): void {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let begun: Buffer[] = [];
  let length = 0;
  const keep = (part: Buffer) => {
    begun.push(part);
    length += part.length;
    if (length > TRAINER_LIMITS.line)
      throw misbehaved(`wrote a line of more than ${TRAINER_LIMITS.line} bytes, the limit`);
  };
  const take = (part: Buffer) => {
    for (let from = 0; ; ) {
      const end = part.indexOf(NEWLINE, from);
      keep(part.subarray(from, end < 0 ? undefined : end));
      if (end < 0) return;
      const line = decode(Buffer.concat(begun));
      begun = [];
      length = 0;
      from = end + 1;
      if (line.trim() !== '') each(line);
    }
  };
  const decode = (bytes: Buffer): string => {
    try {
      return decoder.decode(bytes);
    } catch {
      throw misbehaved('wrote a line that is not UTF-8');
    }
  };
  const onData = (part: Buffer) => {
    try {
      take(part);
    } catch (error) {
      stream.off('data', onData);
      fault(error);
    }
  };
  stream.on('data', onData);
}

export interface StderrLog {
  /** The last line, for the owner's eyes; empty when there was none. */
  readonly last: string;
  /** A new task begins: its lines are told again. */
  refill(): void;
}

/** While nothing more is told: read now and then only, so that a flood costs the program its time and not the node. */
const FLOOD_PAUSE_MS = 10;

/** Tells standard error line by line, cut and without control characters, and says how many lines were left out. */
export function logStderr(stream: Readable, tell: (line: string) => void): StderrLog {
  const decoder = new StringDecoder('utf8');
  let begun = '';
  let last = '';
  let left: number = TRAINER_LIMITS.stderrLines;
  let dropped = 0;
  const append = (text: string) => {
    begun = (begun + text).slice(0, LIMITS.reason);
  };
  const finish = () => {
    const line = oneLine(begun).slice(0, TRAINER_LIMITS.stderrLine).trim();
    begun = '';
    if (line === '') return;
    last = line;
    if (left > 0) {
      left -= 1;
      tell(line);
    } else dropped += 1;
  };
  const refill = () => {
    if (dropped > 0) tell(`(${dropped} more lines of standard error were left out)`);
    left = TRAINER_LIMITS.stderrLines;
    dropped = 0;
  };
  stream.on('data', (part: Buffer) => {
    const [first = '', ...more] = decoder.write(part).split('\n');
    append(first);
    for (const text of more) {
      finish();
      append(text);
    }
    if (left > 0) return;
    stream.pause();
    setTimeout(() => stream.resume(), FLOOD_PAUSE_MS);
  });
  stream.on('end', () => {
    finish();
    refill();
  });
  return {
    get last() {
      return last;
    },
    refill,
  };
}

/** Control characters, direction marks and line breaks would draw over the node's log. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

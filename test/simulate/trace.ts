/** What happened, line by line; its hash tells whether two simulations were the same. */
import { createHash } from 'node:crypto';

export interface Trace {
  add(time: number, line: string): void;
  hash(): string;
  /** Empty unless they were asked for. */
  readonly lines: readonly string[];
}

export function createTrace(keep: boolean): Trace {
  const hash = createHash('sha256');
  const lines: string[] = [];
  return {
    add(time, line) {
      const text = `${time} ${line}\n`;
      hash.update(text);
      if (keep) lines.push(text.trimEnd());
    },
    hash: () => hash.copy().digest('hex'),
    lines,
  };
}

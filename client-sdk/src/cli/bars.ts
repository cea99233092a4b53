/** A few lines on a terminal that are drawn over again; nothing at all where standard error is no terminal. */
import { stripVTControlCharacters } from 'node:util';
import type { Io } from './io.ts';

export interface Screen {
  /** Replaces what was drawn before. */
  draw(lines: readonly string[]): void;
  /** Prints a line that stays, above what is drawn. */
  log(line: string): void;
  /** Leaves the last drawing where it is. */
  end(): void;
}

export function createScreen(io: Io): Screen {
  let drawn: readonly string[] = [];
  const erase = () => (drawn.length > 0 ? `\u001b[${drawn.length}A\u001b[0J` : '');
  return {
    draw(lines) {
      if (!io.errTty) return;
      // A line that wraps, or that scrolls away, would be missed by the next erasure.
      const { columns, rows } = io.size;
      const next = lines.slice(0, rows - 1).map((line) => clip(line, columns - 1));
      if (next.length === drawn.length && next.every((line, at) => line === drawn[at])) return;
      io.err(`${erase()}${next.map((line) => `${line}\n`).join('')}`);
      drawn = next;
    },
    log(line) {
      io.err(`${io.errTty ? erase() : ''}${line}\n${drawn.map((kept) => `${kept}\n`).join('')}`);
    },
    end() {
      drawn = [];
    },
  };
}

/** @param done 0..1 */
export function bar(done: number, width = 20): string {
  const full = Math.round(Math.min(1, Math.max(0, done)) * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
}

/** A line that is too long loses its colours with its end. */
function clip(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= width ? line : plain.slice(0, width);
}

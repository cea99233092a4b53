/** How a running demo is shown: drawn in place on a terminal, else a line per phase and per round. */
import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';
import { type Bar, type Board, duration, megabytes, type RoundRow, remaining } from './board.ts';

type Colors = ReturnType<typeof pc.createColors>;

export interface View {
  readonly colors: Colors;
  /** A phase or a round: a line where there is no terminal, else the board shows it. */
  progress(text: string): void;
  /** A line that stays. */
  line(text: string): void;
  /** Takes what is drawn away and shows the cursor again. */
  close(): void;
}

/** At most ten pictures a second. */
const FRAME_MS = 100;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

export function createView(board: Board, out: NodeJS.WriteStream): View {
  const live = out.isTTY === true && process.env.TERM !== 'dumb';
  const colors = pc.createColors(out.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb');
  if (!live) {
    const line = (text: string): void => {
      out.write(`${((Date.now() - board.started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
    };
    return { colors, progress: line, line, close: () => {} };
  }
  let height = 0;
  let closed = false;
  const erase = (): string => (height > 0 ? `\u001b[${height}A\u001b[0J` : '');
  const draw = (above = ''): void => {
    const { columns = 80, rows = 24 } = out;
    const lines = frame(board, { columns, rows }, colors, Date.now());
    out.write(`${erase()}${above}${lines.map((line) => `${clip(line, columns - 1)}\n`).join('')}`);
    height = lines.length;
  };
  out.write(HIDE_CURSOR);
  const timer = setInterval(draw, FRAME_MS);
  timer.unref();
  return {
    colors,
    // The clock runs, so the timer alone draws.
    progress: () => {},
    line: (text) => draw(`${text}\n`),
    close() {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      out.write(`${erase()}${SHOW_CURSOR}`);
      height = 0;
    },
  };
}

/** The lines of one picture; never more than the terminal has. */
export function frame(
  board: Board,
  size: { columns: number; rows: number },
  colors: Colors,
  now: number,
): string[] {
  const { bold, dim, cyan } = colors;
  const left = remaining(board, now);
  const clock = `${duration(now - board.started)}${left === undefined ? '' : `, about ${duration(left)} to go`}`;
  const where =
    board.round > 0 && board.localStarted === undefined ? `Round ${board.round} of ${board.rounds}: ` : '';
  const head = [`${bold(where)}${cyan(board.phase)}  ${dim(clock)}`, ''];
  const room = Math.max(4, size.rows - head.length - 3);
  const bars = barLines(board.bars, Math.max(3, Math.ceil(room / 2)), size.columns, colors);
  const table = tableLines(board.history, Math.max(2, room - bars.length - 1), colors);
  return [...head, ...bars, ...(table.length > 0 ? ['', ...table] : [])];
}

const WORDS: Readonly<Record<Bar['state'], string>> = {
  waiting: '',
  training: 'training',
  trained: 'trained',
  shared: 'key shares sent',
  sent: 'masked update sent',
  killed: 'killed',
  done: 'done',
};

function barLines(bars: readonly Bar[], most: number, columns: number, colors: Colors): string[] {
  const shown = bars.length <= most ? bars : bars.slice(0, most - 1);
  const names = Math.max(...bars.map(({ name }) => name.length));
  const width = Math.max(5, Math.min(30, columns - names - 30));
  const lines = shown.map(({ name, done, state }) => {
    const full = Math.round(Math.min(1, Math.max(0, done)) * width);
    const paint = state === 'killed' ? colors.red : colors.green;
    const blocks = `${paint('█'.repeat(full))}${colors.dim('░'.repeat(width - full))}`;
    const word = state === 'killed' ? colors.red(WORDS.killed) : colors.dim(WORDS[state]);
    return `  ${name.padEnd(names)}  ${blocks} ${String(Math.round(100 * done)).padStart(3)} %  ${word}`;
  });
  const hidden = bars.slice(shown.length);
  if (hidden.length === 0) return lines;
  const mean = hidden.reduce((sum, { done }) => sum + done, 0) / hidden.length;
  return [...lines, colors.dim(`  and ${hidden.length} more, ${Math.round(100 * mean)} % on average`)];
}

const HEADER = ['round', 'accuracy', 'loss', 'partners', 'seconds', 'up', 'down'];

/** The latest rounds, as many as fit. */
function tableLines(history: readonly RoundRow[], most: number, colors: Colors): string[] {
  const rows = history.slice(-Math.max(1, most - 1));
  if (rows.length === 0) return [];
  const cells = rows.map((row) => [
    String(row.round),
    row.accuracy?.toFixed(4) ?? '...',
    row.loss?.toFixed(4) ?? '...',
    `${row.participants.length}${row.dropped.length > 0 ? ` (-${row.dropped.length})` : ''}`,
    row.seconds.toFixed(1),
    megabytes(row.bytesUp),
    megabytes(row.bytesDown),
  ]);
  const widths = HEADER.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, i) => cell.padStart(widths[i]!)).join('  ')}`;
  return [colors.dim(line(HEADER)), ...cells.map(line)];
}

/** A line that would wrap takes two, and the next picture would miss one: cut, and its colours with it. */
function clip(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= width ? line : plain.slice(0, width);
}

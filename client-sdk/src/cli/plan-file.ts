/** A plan as people write it: YAML (or JSON) with line numbers in what goes wrong. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { LIMITS, type Plan, parsePlan, TributaryError } from '@tributary/protocol';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';

/** What the system says of a folder that is read as a file does not name it. */
export function withPath(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw Object.assign(error, { path });
  };
}

/**
 * The plan in `path`, complete: defaults filled in, layers named, a seed for each random initializer, so that its hash
 * covers all that decides the result. Loads tfjs, which takes about a second.
 * @throws not-found, plan-invalid naming the line, cohort-too-large, too-large
 */
export async function readPlanFile(path: string): Promise<Plan> {
  const text = await readFile(path, 'utf8').catch(withPath(path));
  // YAML may be longer than its canonical form, comments above all.
  if (text.length > 4 * LIMITS.plan)
    throw new TributaryError(
      'too-large',
      `${path} has ${text.length} characters, the limit is ${4 * LIMITS.plan}.`,
    );
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = [...document.errors, ...document.warnings];
  if (broken) {
    const { line = 0, col = 0 } = broken.linePos?.[0] ?? {};
    const what = broken.message.split(/ at line \d+|\n/, 1)[0]!;
    throw new TributaryError('plan-invalid', `${basename(path)} line ${line}, column ${col}: ${what}.`, {
      remedy: 'Correct that line: it is no valid YAML.',
    });
  }
  return withLines(path, document, lines, () => completePlan(toPlain(document)));
}

/** Aliases are expanded a hundred times at most, so that a small file cannot fill the memory. */
function toPlain(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new TributaryError('plan-invalid', (error as Error).message);
  }
}

export async function completePlan(raw: unknown): Promise<Plan> {
  const plan = parsePlan(raw);
  const { prepareTopology } = await import('../trainer/model/topology.ts');
  const topology = await prepareTopology(plan.model.topology, plan.seed);
  return parsePlan({ ...plan, model: { topology } });
}

/** Adds the line to refusals that name a field: `plan: training.epochs must be ...`. */
async function withLines<T>(
  path: string,
  document: Document,
  lines: LineCounter,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof TributaryError)) throw thrown;
    const line = lineOf(document, lines, thrown.message);
    const where = line === undefined ? basename(path) : `${basename(path)} line ${line}`;
    throw new TributaryError(thrown.code, `${where}: ${thrown.message.replace(/^plan: /, '')}`, {
      remedy: thrown.remedy,
      cause: thrown,
    });
  }
}

function lineOf(document: Document, lines: LineCounter, message: string): number | undefined {
  const field = /^(?:plan: )?([A-Za-z]\w*(?:\.\w+)*)/.exec(message)?.[1];
  const steps = (field ?? '').split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step));
  // A missing field has no line; the object that should hold it has one.
  for (; steps.length > 0; steps.pop()) {
    const node = document.getIn(steps, true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

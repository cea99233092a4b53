/** A plan as YAML with a reason behind each choice. */
import { isMap, isNode, isScalar, isSeq, type Pair, parseDocument, visit } from 'yaml';
import { yamlText } from '../data/templates.ts';

/** Items of these lists are one line each: a layer, a column. */
const ONE_LINE = new Set(['model.topology.config.layers', 'features.columns']);

/**
 * @param why comments by the path of their field, such as `training.epochs` or `features.columns.0`
 * @param head lines that stand first
 */
export function commentedYaml(
  plan: object,
  why: Readonly<Record<string, string>>,
  head: readonly string[],
): string {
  const document = parseDocument(yamlText(plan));
  for (const list of ONE_LINE) {
    const node = document.getIn(list.split('.'), true);
    if (!isSeq(node)) continue;
    for (const item of node.items) if (isMap(item)) item.flow = true;
  }
  visit(document, {
    Pair: (_, pair, ancestors) => {
      const reason = why[pathOf([...ancestors, pair])];
      if (reason !== undefined) commentPair(pair, oneLine(reason));
    },
  });
  for (const [path, reason] of Object.entries(why)) {
    const node = document.getIn(
      path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step)),
      true,
    );
    if (isMap(node) && node.flow) node.comment = ` ${oneLine(reason)}`;
  }
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: true }).trimEnd();
  return `${head.map((line) => `# ${oneLine(line)}\n`).join('')}${text}\n`;
}

/** Behind a value; above a block, where a comment behind it would stand on a line of its own. */
function commentPair(pair: Pair, text: string): void {
  const { key, value } = pair;
  if (isScalar(value) || ((isSeq(value) || isMap(value)) && value.flow)) value.comment = ` ${text}`;
  else if (isNode(key)) key.commentBefore = ` ${text}`;
}

function pathOf(nodes: readonly unknown[]): string {
  const steps: string[] = [];
  for (const node of nodes) {
    const key = (node as Partial<Pair>).key;
    if (isScalar(key)) steps.push(String(key.value));
  }
  return steps.join('.');
}

/** Names of columns come from a file: a line break within would end the comment. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

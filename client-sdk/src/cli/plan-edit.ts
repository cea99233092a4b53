/** Changes to a plan file that leave the rest of it, comments included, as its author wrote it. */
import { readFile } from 'node:fs/promises';
import { isMap, isSeq, parseDocument } from 'yaml';
import type { Standardise } from '../moments/standardise.ts';

/**
 * The text of the plan in `path` with these transforms for its columns, and for the label of a series that is one of them.
 * @param remark goes to the top, as a comment
 */
export async function withTransforms(
  path: string,
  transforms: ReadonlyMap<string, Standardise>,
  remark: string,
): Promise<string> {
  const document = parseDocument(await readFile(path, 'utf8'));
  const columns = document.getIn(['features', 'columns']);
  if (isSeq(columns))
    for (const column of columns.items) {
      const transform = isMap(column) ? transforms.get(String(column.get('name'))) : undefined;
      if (isMap(column) && transform) column.set('transform', document.createNode(transform, { flow: true }));
    }
  const label = transforms.get(String(document.getIn(['features', 'label', 'name'])));
  if (label && document.getIn(['features', 'kind']) === 'series') {
    document.setIn(['features', 'label', 'mean'], label.mean);
    document.setIn(['features', 'label', 'std'], label.std);
  }
  const said = document.commentBefore;
  document.commentBefore = ` ${remark}${said ? `\n${said}` : ''}`;
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

import { TributaryError } from '@tributary/protocol';
import { parseDocument } from 'yaml';

/**
 * A file of the owner's. What the parser only warns of is refused as well: a directive that it does not know, say, is a
 * line that would be dropped in silence.
 * @throws malformed naming file, place and fault; also for aliases, which could expand without end
 */
export function parseYaml(text: string, path: string): unknown {
  const document = parseDocument(text);
  try {
    const [fault] = [...document.errors, ...document.warnings];
    if (fault) throw fault;
    return document.toJS({ maxAliasCount: 0 });
  } catch (thrown) {
    throw new TributaryError('malformed', `${path}: ${(thrown as Error).message.split('\n', 1)[0]}`);
  }
}

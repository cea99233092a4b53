import { expect, it } from 'vitest';
import { parseYaml } from './yaml.ts';

it.each([
  ['a directive that would be dropped in silence', '%: clinic\n---\nname: a', /Unknown directive/],
  ['the same name twice', 'name: a\nname: b', /Map keys must be unique.*line 2/],
  ['an alias, which could expand without end', 'a: &a [x]\nb: [*a, *a]', /alias/i],
  ['an open list', 'columns: [a', /line 1/],
])('%s is refused', (_, text, message) => {
  const refused = expect(() => parseYaml(text, 'node.yaml'));
  refused.toThrow(expect.objectContaining({ code: 'malformed' }));
  refused.toThrow(message);
});

it('gives back what was written', () => {
  expect(parseYaml('name: clinic\npolicy: { minRoster: 5 } # five', 'node.yaml')).toEqual({
    name: 'clinic',
    policy: { minRoster: 5 },
  });
});

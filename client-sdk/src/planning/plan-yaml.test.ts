import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { commentedYaml } from './plan-yaml.ts';

const plan = {
  name: 'x',
  description: 'with: a colon # and a hash',
  model: {
    topology: { class_name: 'Sequential', config: { layers: [{ class_name: 'Dense', config: {} }] } },
  },
  features: { columns: [{ name: 'a\nb: [', transform: { kind: 'identity' } }] },
  training: { optimizer: { name: 'sgd' }, epochs: 5 },
};

test('a plan survives its comments, whatever the names of columns hold', () => {
  const why = {
    'training.epochs': 'why five\nrounds: 99',
    'training.optimizer': 'why sgd',
    'features.columns.0': 'why a\u2028b',
    'features.columns': 'left out: evil\nname: other',
    'model.topology': 'why so small',
  };
  const text = commentedYaml(plan, why, ['first\nline']);
  expect(parse(text)).toEqual(plan);
  const lines = text.split('\n');
  expect(lines[0]).toBe('# first line');
  expect(lines).toContain('  epochs: 5 # why five rounds: 99');
  expect(lines[lines.indexOf('  optimizer:') - 1]).toBe('  # why sgd');
  expect(lines.find((line) => line.startsWith('    - { name: '))).toMatch(/ # why a b$/);
  expect(text.endsWith('\n')).toBe(true);
});

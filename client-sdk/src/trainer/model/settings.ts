/** A setting that a layer does not know is left out by tfjs without a word: then another model is trained than was meant. */
import { TributaryError } from '@tributary/protocol';
import { nearest } from '../../nearest.ts';
import { layersIn, type Topology } from './topology-tree.ts';

/** What layers read and do not write again, or write under another name. */
const READ_ONLY = [
  ...['batchInputShape', 'batchSize', 'inputShape', 'inputDim', 'inputLength', 'dtype', 'inputDType'],
  ...['name', 'trainable'],
];

/**
 * @param given as the plan has it
 * @param written the same, as the layers that were built from it write themselves
 * @throws TributaryError plan-invalid, naming layer, setting and the nearest one that there is
 */
export function checkSettings(given: Topology, written: Topology): void {
  const built = layersIn(written);
  for (const [index, { className, config }] of layersIn(given).entries()) {
    const twin = built[index];
    // Nothing to compare with: what holds layers may build others.
    if (twin?.className !== className) return;
    const names = Object.keys(twin.config);
    const known = new Set([...READ_ONLY, ...names.map(asRead)]);
    for (const [key, value] of Object.entries(config)) {
      if (known.has(asRead(key))) continue;
      const near = nearest(key, names);
      if (!near && isOff(key, value)) continue;
      throw new TributaryError(
        'plan-invalid',
        `model layer "${config.name}": ${className} has no setting ${key}.`,
        { remedy: near ? `Did you mean ${near}?` : `It has ${names.join(', ')}.` },
      );
    }
  }
}

/** What Keras has and tfjs has not, as Keras writes it where it is not used. */
function isOff(key: string, value: unknown): boolean {
  return (
    value === null ||
    value === false ||
    value === 0 ||
    (key === 'groups' && value === 1) ||
    key === 'implementation'
  );
}

/** tfjs reads snake_case and camelCase alike. */
function asRead(key: string): string {
  return key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

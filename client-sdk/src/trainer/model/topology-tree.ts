/** Reading a topology as plain data, before tfjs sees it. */
import { type Plan, TributaryError } from '@tributary/protocol';
import { refusalOf } from './layers/checks.ts';

export type Topology = Plan['model']['topology'];
export interface Json {
  [key: string]: unknown;
}

export interface LayerEntry {
  readonly className: string;
  readonly config: Json;
}

/** Where Keras configs hold further layers: containers, wrappers, recurrent cells. */
const NESTED = ['layers', 'layer', 'cell', 'cells', 'forward_layer', 'backward_layer'] as const;

/** Every layer of a topology in order, nested ones after the layer that holds them. */
export function layersIn(topology: Topology): LayerEntry[] {
  const found: LayerEntry[] = [];
  const visit = (node: unknown): void => {
    const children = Array.isArray(node) ? node : [node];
    for (const child of children) {
      const { class_name: className, config } = (child ?? {}) as Json;
      if (typeof className !== 'string' || !isObject(config))
        throw new TributaryError('plan-invalid', 'model.topology: a layer is not {class_name, config}.');
      found.push({ className, config });
      for (const key of NESTED) if (config[key] !== undefined && config[key] !== null) visit(config[key]);
    }
  };
  const root = topology.config;
  const layers = Array.isArray(root) ? root : isObject(root) ? root.layers : undefined;
  if (!Array.isArray(layers) || layers.length === 0)
    throw new TributaryError('plan-invalid', 'model.topology.config has no layers.');
  visit(layers);
  return found;
}

/** @throws TributaryError plan-invalid, naming the layer, for what cannot be trained or would repeat randomness */
export function checkLayers(topology: Topology): void {
  const names = new Set<unknown>();
  let first = true;
  for (const { className, config } of layersIn(topology)) {
    const refuse = (why: string, remedy?: string): never => {
      const message = `model layer "${config.name ?? className}": ${why}.`;
      throw new TributaryError('plan-invalid', message, remedy === undefined ? {} : { remedy });
    };
    if (typeof config.name !== 'string' || !/^[\w.-]{1,100}$/.test(config.name))
      refuse('a name is 1 to 100 letters, digits, ".", "_" or "-"');
    if (names.has(config.name)) refuse('two layers have this name');
    names.add(config.name);
    const spelling = misspelt(config);
    if (spelling) refuse(spelling);
    const refusal = refusalOf(className, config, first);
    if (refusal) refuse(refusal.why, refusal.instead);
    if (className !== 'InputLayer') first = false;
  }
}

/** tfjs takes away every underscore: settings that only it reads would get around the checks of what others read. */
function misspelt(config: Json): string | undefined {
  const seen = new Map<string, string>();
  for (const key of Object.keys(config)) {
    if (/__|^_|_$/.test(key)) return `there is no setting ${key}`;
    const read = key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (seen.has(read)) return `${key} sets ${seen.get(read)} twice`;
    seen.set(read, key);
  }
  return undefined;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

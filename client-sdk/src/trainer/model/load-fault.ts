/** Why tfjs does not load a topology, in one line, and of which layer that is: its own words often leave that out. */
import { TributaryError } from '@tributary/protocol';
import type { Engine } from '../engine/port.ts';
import { withinParameterLimit } from './sizes.ts';
import { type Json, type LayerEntry, layersIn, type Topology } from './topology-tree.ts';

export async function loadFault(
  engine: Engine,
  topology: Topology,
  thrown: unknown,
): Promise<TributaryError> {
  const reason = reasonOf(thrown);
  for (const layer of layersIn(topology))
    if ((await faultAlone(engine, layer)) === reason)
      return new TributaryError('plan-invalid', `model layer "${layer.config.name}": ${reason}.`);
  return new TributaryError('plan-invalid', `model.topology does not load: ${reason}.`);
}

/** What follows the first sentence tells of Python and of registering classes, neither of which a plan can do. */
function reasonOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message
    .split(/ This may be due to|\n/, 1)[0]!
    .trim()
    .replace(/\.$/, '');
}

/** Made without the sizes of its inputs, a layer only looks at its own settings, and takes no memory. */
async function faultAlone(engine: Engine, { className, config }: LayerEntry): Promise<string | undefined> {
  const alone: Json = structuredClone(config);
  for (const key of ['batch_input_shape', 'batchInputShape', 'input_shape', 'inputShape']) delete alone[key];
  const layers = [{ class_name: className, config: alone }];
  const topology = { class_name: 'Sequential', config: { name: 'alone', layers } };
  try {
    const model = await withinParameterLimit(engine, () =>
      engine.layers.models.modelFromJSON(topology as never),
    );
    model.dispose();
    return undefined;
  } catch (thrown) {
    return reasonOf(thrown);
  }
}

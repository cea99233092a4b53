/**
 * Models as safetensors files: what the coordinator serves, hashes and hands to PyTorch, JAX and Hugging Face users.
 * One model has one byte string: tensors in flat order, metadata sorted by key, so that its SHA-256 names it.
 */
import { utf8 } from './encoding.ts';
import { type ErrorCode, TributaryError } from './errors.ts';
import { LIMITS } from './limits.ts';
import {
  checkMetadata,
  checkParameters,
  checkTensorName,
  invalidModel,
  parameterCount,
  quote,
  readSafetensorsHeader,
} from './safetensors-header.ts';
import type { ModelWeights } from './tensors.ts';

export { readSafetensorsHeader, type SafetensorsHeader } from './safetensors-header.ts';

export interface SafetensorsFile {
  /** `values` may be a view on the bytes that were decoded: whoever writes into it must copy it first. */
  readonly model: ModelWeights;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * @param metadata is stored as `__metadata__`
 * @throws model-invalid when the tensors do not cover `values` in order, or a name or a size is not allowed
 */
export function encodeSafetensors(
  model: ModelWeights,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const head = encodeSafetensorsHead(model, metadata);
  const { values } = model;
  const file = new Uint8Array(head.length + values.byteLength);
  file.set(head);
  file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), head.length);
  return file;
}

/** What stands before the bytes of `model.values`: for writers that do not want the whole file in memory. */
export function encodeSafetensorsHead(
  model: ModelWeights,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  requireLittleEndian();
  const header = utf8(headerJson(model, metadata));
  const padded = Math.ceil(header.length / 8) * 8;
  if (padded > LIMITS.safetensorsHeader)
    throw invalidModel(`a header of ${padded} bytes, the limit is ${LIMITS.safetensorsHeader}`);
  const size = 8 + padded + model.values.byteLength;
  if (size > LIMITS.blob) throw invalidModel(`a file of ${size} bytes, the limit is ${LIMITS.blob}`);
  const head = new Uint8Array(8 + padded);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(header, 8);
  head.fill(0x20, 8 + header.length);
  return head;
}

/** Written by hand: an object literal would move names that look like numbers to the front. */
function headerJson({ tensors, values }: ModelWeights, metadata: Readonly<Record<string, string>>): string {
  const members: string[] = [];
  const labels = Object.entries(checkMetadata(metadata)).sort(([a], [b]) => (a < b ? -1 : 1));
  if (labels.length > 0)
    members.push(
      `"__metadata__":{${labels.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join()}}`,
    );
  const names = new Set<string>();
  let offset = 0;
  for (const { name, shape, ...given } of tensors) {
    checkTensorName(name);
    if (names.has(name)) throw invalidModel(`two tensors are named ${quote(name)}`);
    names.add(name);
    const length = parameterCount(shape, `tensor ${quote(name)}`);
    if (given.offset !== offset || given.length !== length)
      throw invalidModel(
        `tensor ${quote(name)} of shape [${shape}] claims ${given.length} parameters at ${given.offset}, ` +
          `${length} at ${offset} are due`,
      );
    offset += length;
    const extent = `[${4 * (offset - length)},${4 * offset}]`;
    members.push(
      `${JSON.stringify(name)}:{"dtype":"F32","shape":[${shape.join()}],"data_offsets":${extent}}`,
    );
  }
  checkParameters(offset);
  if (offset !== values.length)
    throw invalidModel(`the tensors hold ${offset} parameters, the vector ${values.length}`);
  return `{${members.join()}}`;
}

/**
 * Checks the whole file but the finiteness of its values (`requireFinite`). Does not copy the data when it lies
 * 4-aligned in its buffer, which the padding of our own files grants.
 * @throws model-invalid naming what is wrong
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  requireLittleEndian();
  if (bytes.length > LIMITS.blob)
    throw invalidModel(`a file of ${bytes.length} bytes, the limit is ${LIMITS.blob}`);
  const { tensors, metadata, dataOffset, parameters } = readSafetensorsHeader(bytes);
  const data = bytes.length - dataOffset;
  if (data !== 4 * parameters)
    throw invalidModel(`the tensors take ${4 * parameters} bytes, ${data} follow the header`);
  const start = bytes.byteOffset + dataOffset;
  const values =
    start % 4 === 0
      ? new Float32Array(bytes.buffer, start, parameters)
      : new Float32Array(new Uint8Array(bytes.subarray(dataOffset)).buffer);
  return { model: { tensors, values }, metadata };
}

/**
 * @param code model-invalid for a model that came from elsewhere, not-finite for one that was computed here
 * @throws `code` naming the first offending index and value
 */
export function requireFinite(values: Float32Array, code: ErrorCode = 'model-invalid'): void {
  for (let i = 0; i < values.length; i++)
    // Only NaN and the infinities leave something other than 0.
    if (values[i]! - values[i]! !== 0)
      throw new TributaryError(code, `Parameter ${i} of ${values.length} is ${values[i]}.`);
}

/** Views on the file are its numbers only where the machine stores them as the file does. */
function requireLittleEndian(): void {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1)
    throw new TributaryError('internal', 'This machine is big-endian, safetensors files are little-endian.');
}

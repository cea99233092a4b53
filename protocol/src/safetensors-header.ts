/**
 * The header of a safetensors file (github.com/huggingface/safetensors, "Format"): 8 bytes of little-endian length,
 * then JSON of that length, `name -> {dtype, shape, data_offsets}` and optionally `__metadata__`, then the data.
 * It comes from strangers, so it is read stricter than the format asks: float32 only, no holes, no duplicates.
 */
import { fromUtf8 } from './encoding.ts';
import { TributaryError } from './errors.ts';
import { repeatedKey } from './json-keys.ts';
import { LIMITS } from './limits.ts';
import type { TensorSpec } from './tensors.ts';

export interface SafetensorsHeader {
  /** In the order of the data, which is the flat order. */
  readonly tensors: readonly TensorSpec[];
  /** Without a prototype: any key is safe to look up. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the data starts in the file: bytes. */
  readonly dataOffset: number;
  /** Parameters that the data holds, 4 bytes each. */
  readonly parameters: number;
}

/** A tensor as the header tells it; `begin` and `end` are bytes in the data. */
interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly length: number;
  readonly begin: number;
  readonly end: number;
}

const METADATA = '__metadata__';
const FIELDS = 'data_offsets,dtype,shape';
/** tfjs knows tensors up to rank 6; nothing that trains has more than 8 dimensions. */
const MAX_RANK = 8;

export function invalidModel(problem: string): TributaryError {
  return new TributaryError('model-invalid', `safetensors: ${problem}.`);
}

/**
 * Reads and checks the header alone: `bytes` may end where the data starts.
 * @throws model-invalid naming what is wrong
 */
export function readSafetensorsHeader(bytes: Uint8Array): SafetensorsHeader {
  const dataOffset = 8 + headerLength(bytes);
  let metadata = checkMetadata({});
  const entries: Entry[] = [];
  for (const [name, value] of membersOf(parseHeader(bytes.subarray(8, dataOffset)), 'the header')) {
    if (name === METADATA) metadata = checkMetadata(value);
    else entries.push(readEntry(name, value));
  }
  entries.sort((a, b) => a.begin - b.begin);
  let offset = 0;
  const tensors = entries.map((entry): TensorSpec => {
    checkExtent(entry, 4 * offset);
    const { name, shape, length } = entry;
    offset += length;
    return { name, shape, offset: offset - length, length };
  });
  checkParameters(offset);
  return { tensors, metadata, dataOffset, parameters: offset };
}

function headerLength(bytes: Uint8Array): number {
  if (bytes.length < 8) throw invalidModel(`${bytes.length} bytes are too few for a header length`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const length = view.getBigUint64(0, true);
  if (length > LIMITS.safetensorsHeader)
    throw invalidModel(`a header of ${length} bytes, the limit is ${LIMITS.safetensorsHeader}`);
  if (Number(length) > bytes.length - 8)
    throw invalidModel(`a header of ${length} bytes, and only ${bytes.length - 8} are there`);
  return Number(length);
}

function parseHeader(bytes: Uint8Array): unknown {
  // The format asks for the brace; without this check a byte order mark would slip through the decoder.
  if (bytes[0] !== 0x7b) throw invalidModel('the header does not begin with {');
  let json: string;
  let header: unknown;
  try {
    json = fromUtf8(bytes);
    header = JSON.parse(json);
  } catch {
    throw invalidModel('the header is not JSON in UTF-8');
  }
  const twice = repeatedKey(json);
  if (twice !== undefined) throw invalidModel(`the header holds ${quote(twice)} twice`);
  return header;
}

function readEntry(name: string, value: unknown): Entry {
  checkTensorName(name);
  const what = `tensor ${quote(name)}`;
  const fields = new Map(membersOf(value, what));
  if ([...fields.keys()].sort().join() !== FIELDS) throw invalidModel(`${what} must have exactly ${FIELDS}`);
  if (fields.get('dtype') !== 'F32')
    throw invalidModel(`${what} has dtype ${quote(fields.get('dtype'))}, only F32 is taken`);
  const shape = integersOf(fields.get('shape'), `${what} shape`);
  const offsets = integersOf(fields.get('data_offsets'), `${what} data_offsets`);
  if (offsets.length !== 2) throw invalidModel(`${what} data_offsets must be [begin, end]`);
  return { name, shape, length: parameterCount(shape, what), begin: offsets[0]!, end: offsets[1]! };
}

function checkExtent({ name, shape, length, begin, end }: Entry, expected: number): void {
  const what = `tensor ${quote(name)}`;
  if (begin !== expected)
    throw invalidModel(
      `${what} begins at byte ${begin} where ${expected} is due: ${begin < expected ? 'an overlap' : 'a hole'}`,
    );
  if (end - begin !== 4 * length)
    throw invalidModel(`${what} of shape [${shape}] takes ${4 * length} bytes, its offsets ${end - begin}`);
}

/** @returns the product of `shape`, 1 for a scalar. */
export function parameterCount(shape: readonly number[], what: string): number {
  if (shape.length > MAX_RANK)
    throw invalidModel(`${what} has ${shape.length} dimensions, the limit is ${MAX_RANK}`);
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 1) throw invalidModel(`${what} has a dimension of ${size}`);
    count *= size;
    checkParameters(count);
  }
  return count;
}

export function checkParameters(count: number): void {
  if (count > LIMITS.parameters) throw invalidModel(`${count} parameters, the limit is ${LIMITS.parameters}`);
}

/** Names reach logs, file listings and object keys at every partner. */
export function checkTensorName(name: string): void {
  const sane = name.length <= LIMITS.name && /^[^\p{C}\p{Z}]([^\p{C}]*[^\p{C}\p{Z}])?$/u.test(name);
  if (!sane || name === METADATA || name === '__proto__')
    throw invalidModel(`a tensor cannot be named ${quote(name)}`);
}

/** The metadata members, checked. Null prototype, so that a key `__proto__` is a key like any other. */
export function checkMetadata(value: unknown): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, member] of membersOf(value, METADATA)) {
    if (typeof member !== 'string') throw invalidModel(`${METADATA} ${quote(key)} is not a string`);
    metadata[key] = member;
  }
  return metadata;
}

function membersOf(value: unknown, what: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidModel(`${what} is not an object`);
  return Object.entries(value);
}

function integersOf(value: unknown, what: string): number[] {
  if (!Array.isArray(value)) throw invalidModel(`${what} is not a list`);
  for (const item of value)
    if (!Number.isSafeInteger(item) || item < 0) throw invalidModel(`${what} holds ${quote(item)}`);
  return value;
}

export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/**
 * Weights as safetensors files between the node and a trainer program, read and written beside the main thread: file
 * operations run in Node's thread pool, on the memory of the vector itself.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  encodeSafetensorsHead,
  LIMITS,
  type ModelWeights,
  readSafetensorsHeader,
  type SafetensorsHeader,
  type TensorSpec,
  TributaryError,
} from '@tributary/protocol';
import { allFinite } from '../model/weights.ts';
import { misbehaved, quote } from './messages.ts';

export interface Exchange {
  pathsOf(task: number): { readonly weights: string; readonly output: string };
  forget(task: number): Promise<void>;
  /** Deletes the folder. */
  close(): Promise<void>;
}

/** @param parent the system's folder for temporary files unless given. @throws storage-failed */
export async function createExchange(parent = tmpdir()): Promise<Exchange> {
  // Mode 0700 (mkdtemp(3)).
  const folder = await mkdtemp(join(parent, 'tributary-trainer-')).catch(storageFailed(parent));
  const pathsOf = (task: number) => ({
    weights: join(folder, `${task}-in.safetensors`),
    output: join(folder, `${task}-out.safetensors`),
  });
  return {
    pathsOf,
    async forget(task) {
      // Whatever the program put there, a folder included.
      for (const path of Object.values(pathsOf(task))) await rm(path, { recursive: true, force: true });
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

function storageFailed(path: string) {
  return (thrown: NodeJS.ErrnoException): never => {
    throw new TributaryError('storage-failed', `${path}: the file system says ${thrown.code}.`, {
      cause: thrown,
    });
  };
}

/** @throws storage-failed */
export async function writeModel(path: string, model: ModelWeights): Promise<void> {
  const { buffer, byteOffset, byteLength } = model.values;
  const head = encodeSafetensorsHead(model);
  const file = await open(path, 'wx', 0o600).catch(storageFailed(path));
  try {
    await file.writeFile(head);
    await file.writeFile(new Uint8Array(buffer, byteOffset, byteLength));
  } catch (thrown) {
    storageFailed(path)(thrown as NodeJS.ErrnoException);
  } finally {
    await file.close();
  }
}

/**
 * The values of a file that the program wrote, in the order of `expected`, whatever order the file has.
 * @throws training-failed when it is not a regular file of exactly these float32 tensors; not-finite
 */
export async function readModel(path: string, expected: readonly TensorSpec[]): Promise<Float32Array> {
  const file = await openRegular(path);
  try {
    const { size } = await file.stat();
    const header = await readHeader(file);
    const found = matching(header, expected);
    const due = header.dataOffset + 4 * header.parameters;
    if (size !== due) throw misbehaved(`wrote a file of ${size} bytes, its header asks for ${due}`);
    const values = new Float32Array(header.parameters);
    for (const { offset, length, name } of expected) {
      const into = new Uint8Array(values.buffer, 4 * offset, 4 * length);
      await readFully(file, into, header.dataOffset + 4 * found.get(name)!.offset);
    }
    await checkFinite(values, expected);
    return values;
  } finally {
    await file.close();
  }
}

/** Without following a link, and without waiting for the other end of a pipe. */
async function openRegular(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((thrown: NodeJS.ErrnoException) => {
    const reasons: Record<string, string> = {
      ENOENT: 'was not written',
      ELOOP: 'is a symbolic link, not a regular file',
    };
    throw misbehaved(
      `said trained, but its output ${reasons[thrown.code!] ?? `cannot be read (${thrown.code})`}`,
    );
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw misbehaved('said trained, but its output is not a regular file');
}

async function readHeader(file: FileHandle): Promise<SafetensorsHeader> {
  const length = new Uint8Array(8);
  await readFully(file, length, 0);
  const claimed = new DataView(length.buffer).getBigUint64(0, true);
  if (claimed > LIMITS.safetensorsHeader)
    throw misbehaved(
      `wrote a safetensors header of ${claimed} bytes, the limit is ${LIMITS.safetensorsHeader}`,
    );
  const bytes = new Uint8Array(8 + Number(claimed));
  await readFully(file, bytes, 0);
  try {
    return readSafetensorsHeader(bytes);
  } catch (thrown) {
    if (!(thrown instanceof TributaryError)) throw thrown;
    throw misbehaved(`wrote no model that can be taken: ${thrown.message.replace(/\.$/, '')}`);
  }
}

function matching({ tensors }: SafetensorsHeader, expected: readonly TensorSpec[]): Map<string, TensorSpec> {
  const found = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  for (const { name, shape } of expected) {
    const tensor = found.get(name);
    if (!tensor) throw misbehaved(`wrote no tensor ${quote(name)}, which it was given`);
    if (String(tensor.shape) !== String(shape))
      throw misbehaved(`wrote tensor ${quote(name)} of [${tensor.shape}], it was given as [${shape}]`);
  }
  const known = new Set(expected.map(({ name }) => name));
  const extra = tensors.find(({ name }) => !known.has(name));
  if (extra) throw misbehaved(`wrote tensor ${quote(extra.name)}, which it was not given`);
  return found;
}

/** One read of the thread pool. */
const READ_BYTES = 64 * 1024 * 1024;

async function readFully(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const length = Math.min(READ_BYTES, into.length - done);
    const { bytesRead } = await file.read(into, done, length, position + done);
    if (bytesRead === 0) throw misbehaved(`wrote a file that ends at byte ${position + done}`);
    done += bytesRead;
  }
}

/** Values checked before the main thread does something else: about a millisecond. */
const SLICE = 250_000;

async function checkFinite(values: Float32Array, tensors: readonly TensorSpec[]): Promise<void> {
  for (let from = 0; from < values.length; from += SLICE) {
    if (from > 0) await nextTurn();
    const slice = values.subarray(from, from + SLICE);
    if (allFinite(slice)) continue;
    const at = from + slice.findIndex((value) => !Number.isFinite(value));
    const tensor = tensors.find(({ offset, length }) => at < offset + length)!;
    throw new TributaryError(
      'not-finite',
      `Value ${at - tensor.offset} of tensor ${quote(tensor.name)} is ${values[at]} after local training.`,
    );
  }
}

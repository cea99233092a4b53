/**
 * What can be wrong with a partner's rows. These messages may quote one offending value, so that the owner can find
 * it: they are for this machine's log and screen. Whoever reports the failure sends the code, never the message.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { TributaryError } from '@tributary/protocol';

/** Floats of one data set: 4 bytes each, so 2 GB, about what a partner's node can hold beside the training. */
export const MAX_FLOATS = 500_000_000;

/** No `cause`: the faults of parsers carry whole records. */
export function invalidData(message: string): TributaryError {
  return new TributaryError('data-invalid', message);
}

/** The one value that a message may show, cut to a line. */
export function quote(value: string): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}..."` : text;
}

export function requireRoom(rows: number, floatsPerRow: number, path: string): void {
  if (rows * floatsPerRow > MAX_FLOATS)
    throw new TributaryError(
      'too-large',
      `${path}: ${rows} rows of ${floatsPerRow} values, the limit is ${MAX_FLOATS} values.`,
    );
}

/** A fault of the file system in words; anything else is passed on. */
export function fileProblem(path: string, thrown: unknown): unknown {
  const code = (thrown as NodeJS.ErrnoException | null)?.code;
  if (thrown instanceof TributaryError || typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return thrown;
  const reasons: Record<string, string> = {
    ENOENT: 'does not exist',
    EACCES: 'may not be read by this user',
    EISDIR: 'is a folder',
    ENOTDIR: 'is not a folder',
  };
  return invalidData(`${path} ${reasons[code] ?? `cannot be read (${code})`}.`);
}

/** @throws data-invalid, or too-large beyond `limit` bytes, before anything is read into memory */
export async function readWhole(path: string, limit: number): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { size } = await file.stat();
    if (size > limit)
      throw new TributaryError('too-large', `${path} has ${size} bytes, the limit is ${limit}.`);
    return await file.readFile();
  } catch (thrown) {
    throw fileProblem(path, thrown);
  } finally {
    await file?.close();
  }
}

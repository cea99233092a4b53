import { type Encryption, isEncrypted } from '../at-rest/marker.ts';
import { hashOf } from '../at-rest/reader.ts';
import type { Store } from '../storage/ports.ts';

export interface CheckContext {
  readonly folder: string;
  /** Over a copy of the folder's database. */
  readonly store: Store;
  readonly encryption: Encryption;
}

/** Whether the file is what has that hash; without the key of an encrypted one no more than that it is there. */
export async function look(
  path: string,
  hash: string,
  { marked, key }: Encryption,
): Promise<'sound' | 'damaged' | 'missing'> {
  try {
    if (marked !== null && !key) return (await isEncrypted(path)) ? 'sound' : 'damaged';
    return (await hashOf(path, key)) === hash ? 'sound' : 'damaged';
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EBADMSG' ? 'damaged' : 'missing';
  }
}

/** What may be said of files that `look` found sound. */
export function soundness({ marked, key }: Encryption): string {
  return marked !== null && !key ? 'there, not looked into without their key' : 'there and sound';
}

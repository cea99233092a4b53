/** Files that a command makes: whole, or not at all. */
import { rm, writeFile } from 'node:fs/promises';

/**
 * @param force writes over what is there. @throws what the file system says; EEXIST when it is there. A new file that
 * could not be written whole is gone again, so that the next try does not find it.
 */
export async function writeNew(path: string, content: string | Uint8Array, force = false): Promise<void> {
  try {
    await writeFile(path, content, { flag: force ? 'w' : 'wx' });
  } catch (thrown) {
    const half = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'].includes((thrown as NodeJS.ErrnoException).code ?? '');
    if (half && !force) await rm(path, { force: true }).catch(() => {});
    throw thrown;
  }
}

/** Files that a command makes: all of them whole, or none. */
import { open, rm } from 'node:fs/promises';

/**
 * @param force writes over what is there. @throws what the file system says; EEXIST when one is there. New files are gone
 * again when one of them could not be written whole, so that the next try does not find them.
 */
export async function writeNew(
  files: readonly (readonly [path: string, content: string | Uint8Array])[],
  force = false,
): Promise<void> {
  const made: string[] = [];
  try {
    for (const [path, content] of files) {
      const file = await open(path, force ? 'w' : 'wx');
      if (!force) made.push(path);
      await file.writeFile(content).finally(() => file.close());
    }
  } catch (thrown) {
    for (const path of made) await rm(path, { force: true }).catch(() => {});
    throw thrown;
  }
}
